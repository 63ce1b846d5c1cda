"""What was refused, and what was accepted and cannot be stored: kept aside with the reason, until somebody decides.

Refused events lie in the quarantine of their visitor's partition, which is bounded in number, bytes and age; they count as
rejected. Accepted entries that the history will not have lie in `unstored`, which nothing throws out; they count as waiting.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from baliza.stores import RedisClient, call
from schema import keys
from schema.events import MAX_EVENT_BYTES
from tracker.beacon import Rejection
from tracker.observe import Command, Context

__all__ = [
    "REFUSED",
    "UNSTORED",
    "Kept",
    "Tallied",
    "all_kept",
    "delete",
    "find",
    "forget_old",
    "newest",
    "put_back_command",
    "refuse_again_command",
    "refuse_command",
    "set_aside_command",
    "tallied",
    "unrefuse_command",
]

_encode = msgspec.msgpack.Encoder().encode
_context = msgspec.msgpack.Decoder(Context)
_outcomes = msgspec.msgpack.Decoder(list[msgspec.Raw])
READ_AT_ONCE: Final = 100
REFUSED: Final = "refused"
UNSTORED: Final = "unstored"


@dataclass(frozen=True)
class Tallied:
    """The quarantines of all partitions together.

    `thrown`: refused events that had to make room for newer ones; `aged`: that became too old. Both since the store began.
    """

    refused: int
    unstored: int
    bytes: int
    thrown: int
    aged: int


class Kept(Struct):
    """One thing kept aside: refused (one event), or unstored (the accepted events of one request), says `kind`.

    `id`: how people name it. `at`: when it was received. `event`: what came, undecodable bytes replaced; when `cut`, the
    beginning of it.
    """

    id: str
    kind: str
    at: datetime
    site: str
    sender: str
    visitor: str
    error: str
    event: str
    cut: bool
    fields: dict[bytes, bytes] = msgspec.field(default_factory=dict)
    partition: int = 0
    stream_id: str = ""

    def shown(self) -> dict[str, Any]:
        """For machines."""
        names = ("id", "kind", "at", "site", "sender", "visitor", "error", "event", "cut")
        return {name: getattr(self, name) for name in names}

    @property
    def context(self) -> Context | None:
        """Of the request that it came in; None when it cannot be read."""
        return _read_context(self.fields.get(b"context" if self.kind == REFUSED else b"c", b""))

    @property
    def shift_ms(self) -> int:
        """What the client's clock was corrected by."""
        return int(self.fields.get(b"shift", b"0"))


def refuse_command(rejected: Rejection, context: Context, shift_ms: int, partitions: int) -> Command:
    """FCALL refuse: keeps one rejected event with its reason and what its request said; of a too long one the beginning."""
    partition = keys.partition_of(context.visitor_id, partitions)
    fields = (
        "site", context.site, "at", context.received_ms, "error", rejected.error, "shift", shift_ms,
        "bytes", len(rejected.raw), "context", _encode(context), "event", rejected.raw[:MAX_EVENT_BYTES],
    )  # fmt: skip
    bounds = _bounds(context.received_ms)
    return ("FCALL", "refuse_v1", 2, keys.quarantine(partition), keys.quarantine_tally(partition), *bounds, *fields)


def unrefuse_command(partition: int, stream_id: str, context: bytes = b"") -> Command:
    """FCALL unrefuse: takes it out of quarantine; with `context` only if the newest accepted entry has it."""
    names = (keys.quarantine(partition), keys.quarantine_tally(partition), keys.events(partition))
    return ("FCALL", "unrefuse_v1", 3, *names, stream_id, context)


def refuse_again_command(kept: Kept, error: str) -> Command:
    """FCALL refuse_again: it stays in quarantine, with this reason."""
    where = (keys.quarantine(kept.partition), keys.quarantine_tally(kept.partition))
    return ("FCALL", "refuse_again_v1", 2, *where, kept.stream_id, error)


def set_aside_command(partition: int, stream_id: str, error: str, now_ms: int) -> Command:
    """FCALL set_aside: moves an accepted entry that cannot be stored from the events to `unstored`. Safe to repeat."""
    where = (keys.events(partition), keys.unstored(partition))
    return ("FCALL", "set_aside_v1", 2, *where, stream_id, now_ms, error)


def put_back_command(partition: int, stream_id: str, context: Context | None = None) -> Command:
    """FCALL put_back: an unstored entry goes back to ingest; with `context` only these numbers go. Safe to repeat."""
    where = (keys.unstored(partition), keys.events(partition))
    return ("FCALL", "put_back_v1", 2, *where, stream_id, b"" if context is None else _encode(context))


def delete(redis: RedisClient, kept: Kept) -> bool:
    """Delete one for good; False when it was gone before. Accepted events become rejected. Raises StoreDown."""
    if kept.kind == REFUSED:
        command = unrefuse_command(kept.partition, kept.stream_id)
    else:
        command = put_back_command(kept.partition, kept.stream_id, _given_up(kept))
    return bool(call(lambda: redis.execute_command(*command)))


def _given_up(kept: Kept) -> Context:
    """The numbers of an entry whose events are given up, and nothing about who sent them."""
    said = kept.context
    if said is None:
        return Context("", "", round(kept.at.timestamp() * 1000), "", trusted=False, offered=0)
    taken = _outcomes_of(kept.fields)
    offered = max(said.offered, taken) - taken
    return Context(
        said.site, "", said.received_ms, said.sender, said.trusted,
        offered=offered, consent=said.consent, rejected=said.rejected + taken, known=said.known,
    )  # fmt: skip


def _outcomes_of(fields: Mapping[bytes, bytes]) -> int:
    try:
        return len(_outcomes.decode(fields.get(b"o", b"\x90")))
    except ValueError:
        return 0


def forget_old(redis: RedisClient, partitions: int, now_ms: int) -> int:
    """Throw out refused events that are too old; answers how many. One round trip; raises StoreDown."""
    pipe = redis.pipeline(transaction=False)
    for partition in range(partitions):
        where = (keys.quarantine(partition), keys.quarantine_tally(partition))
        pipe.fcall("trim_quarantine_v1", 2, *where, *_bounds(now_ms))
    return sum(call(pipe.execute))


def _bounds(now_ms: int) -> tuple[int, int, int]:
    return keys.QUARANTINE_MAX_ENTRIES, keys.QUARANTINE_MAX_BYTES, now_ms - keys.QUARANTINE_MAX_AGE_MS


def tallied(redis: RedisClient, partitions: int) -> Tallied:
    """How much is kept aside, and how much is not any more. One round trip; raises StoreDown."""
    pipe = redis.pipeline(transaction=False)
    for partition in range(partitions):
        pipe.xlen(keys.quarantine(partition))
        pipe.xlen(keys.unstored(partition))
        pipe.hmget(keys.quarantine_tally(partition), "bytes", "thrown", "aged")
    answers = call(pipe.execute)
    sizes = [sum(int(of[n] or 0) for of in answers[2::3]) for n in range(3)]
    return Tallied(sum(answers[0::3]), sum(answers[1::3]), *sizes)


def all_kept(
    redis: RedisClient, partitions: int, site: str | None = None, reason: str = "", since: datetime | None = None
) -> Iterator[Kept]:
    """Everything kept aside, partition by partition, oldest first in each; `reason`: a part of the error, in any case of
    letters. Reads in chunks, so that memory stays small; raises StoreDown.
    """
    for kind, key_of in ((UNSTORED, keys.unstored), (REFUSED, keys.quarantine)):
        for partition in range(partitions):
            for stream_id, fields, why in _entries(redis, key_of(partition), keys.quarantine_tally(partition)):
                kept = _kept(kind, partition, stream_id.decode(), fields, why)
                matches = site in (None, kept.site) and reason.casefold() in kept.error.casefold()
                if matches and (since is None or kept.at >= since):
                    yield kept


def newest(found: Iterable[Kept], limit: int) -> list[Kept]:
    """The last received of them, newest first."""
    return heapq.nlargest(limit, found, key=lambda kept: kept.at)


def find(redis: RedisClient, partitions: int, name: str) -> Kept | None:
    """The one with this id; None when there is none, or no longer. Raises StoreDown."""
    letter, _, rest = name.partition("-")
    number, _, stream_id = rest.partition("-")
    kinds = {"r": (REFUSED, keys.quarantine), "u": (UNSTORED, keys.unstored)}
    if letter not in kinds or not number.isdecimal() or int(number) >= partitions:
        return None
    if not stream_id.replace("-", "", 1).isdecimal():
        return None
    kind, key_of = kinds[letter]
    found = call(lambda: redis.xrange(key_of(int(number)), stream_id, stream_id))
    why = call(lambda: redis.hget(keys.quarantine_tally(int(number)), f"why:{stream_id}"))
    return _kept(kind, int(number), stream_id, found[0][1], why) if found else None


def _entries(redis: RedisClient, stream: str, tally: str) -> Iterator[tuple[bytes, dict[bytes, bytes], bytes | None]]:
    """Id, fields, and the latest reason where there is a later one."""
    after = "-"
    while True:
        found: Sequence[tuple[bytes, dict[bytes, bytes]]] = call(
            lambda after=after: redis.xrange(stream, after, count=READ_AT_ONCE)  # type: ignore[misc]
        )
        if not found:
            return
        again = call(lambda found=found: redis.hmget(tally, [b"why:" + stream_id for stream_id, _ in found]))  # type: ignore[misc]
        yield from ((*entry, why) for entry, why in zip(found, again, strict=True))
        if len(found) < READ_AT_ONCE:
            return
        after = f"({found[-1][0].decode()}"


def _kept(kind: str, partition: int, stream_id: str, fields: Mapping[bytes, bytes], why: bytes | None) -> Kept:
    refused = kind == REFUSED
    event = fields.get(b"event" if refused else b"b", b"")
    context = _read_context(fields.get(b"context" if refused else b"c", b""))
    at_ms = context.received_ms if context else int(fields[b"at"])
    return Kept(
        id=f"{kind[0]}-{partition}-{stream_id}",
        kind=kind,
        at=datetime.fromtimestamp(at_ms / 1000, UTC),
        site=context.site if context else fields.get(b"site", b"").decode(errors="replace"),
        sender=context.sender if context else "",
        visitor=context.visitor_id if context else "",
        error=(why or fields[b"error"]).decode(errors="replace"),
        event=event.decode(errors="replace"),
        cut=int(fields.get(b"bytes", b"0")) > len(event),
        fields=dict(fields),
        partition=partition,
        stream_id=stream_id,
    )


def _read_context(packed: bytes) -> Context | None:
    try:
        return _context.decode(packed)
    except ValueError:
        return None
