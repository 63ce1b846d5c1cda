"""Receipts: what became of every event that came in, by site and hour of receipt (UTC).

received = stored + bot + duplicate + consent + rejected + waiting. Each request says in its stream entry what became of its
events; ingest adds that up in the table `receipts`. What is stored is counted in the events themselves, and what waits in
the streams, so the sum is a check: an event that was lost or stored twice on the way is a difference.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from baliza.settings import Settings
from baliza.stores import History, RedisClient, call, query
from schema import keys
from tracker.observe import Context, hour_of

__all__ = ["Line", "Numbers", "Receipts", "add_up", "numbers_of", "read_receipts", "total"]

TOLD: Final = query("receipts_told")
COUNTED: Final = query("receipts_counted")
FIRST: Final = "SELECT min(hour), count() FROM receipts"
READ_AT_ONCE: Final = 500
TRIES: Final = 20
PAUSE_S: Final = 0.1
_context = msgspec.msgpack.Decoder(Context)
_outcomes = msgspec.msgpack.Decoder(list[msgspec.Raw])

# (site, beginning of the hour in Unix seconds)
Where = tuple[str, int]


class Numbers(NamedTuple):
    """What requests said about their events."""

    taken: int = 0
    duplicate: int = 0
    consent: int = 0
    rejected: int = 0

    @property
    def received(self) -> int:
        return sum(self)

    def plus(self, other: "Numbers") -> "Numbers":
        return Numbers(*(mine + yours for mine, yours in zip(self, other, strict=True)))


NONE: Final = Numbers()


class Line(Struct, frozen=True):
    """One site and hour. `difference`: what came in less what is known of it; above 0 events are lost, below they are twice.

    hour: its beginning. It is the sum of several when it is a total.
    """

    site: str
    hour: datetime
    received: int
    stored: int
    bot: int
    duplicate: int
    consent: int
    rejected: int
    waiting: int
    difference: int


@dataclass(frozen=True)
class Receipts:
    """All lines, the oldest hour first.

    `settled`: nothing moved while they were read. Else a batch was being written: its events may be counted as waiting and
    as stored, and `difference` says what cannot be explained by that.
    `entries`: how many stream entries wait, of which `set_aside` cannot be stored; `seen`: how many of them were read.
    """

    lines: list[Line]
    settled: bool
    entries: int
    set_aside: int
    seen: int

    @property
    def sound(self) -> bool:
        return not any(line.difference for line in self.lines)


def numbers_of(fields: Mapping[bytes, bytes]) -> tuple[Where, Numbers] | None:
    """Where a stream entry belongs and what it says of its events; None when it cannot be read."""
    try:
        context = _context.decode(fields[b"c"])
        taken = len(_outcomes.decode(fields[b"o"]))
    except (KeyError, ValueError):
        return None
    numbers = Numbers(taken, context.duplicates(taken), context.consent, context.rejected)
    return (context.site, hour_of(context.received_ms)), numbers


def add_up(
    told: Mapping[Where, Numbers],
    counted: Mapping[Where, tuple[int, int]],
    waiting: Mapping[Where, Numbers],
    difference: Mapping[Where, int],
) -> list[Line]:
    """The lines of all sites and hours of which anything is known."""
    return [
        _line(where, told.get(where, NONE), counted.get(where, (0, 0)), waiting.get(where, NONE), difference.get(where, 0))
        for where in sorted({*told, *counted, *waiting}, key=lambda where: (where[1], where[0]))
    ]


def _line(where: Where, told: Numbers, counted: tuple[int, int], waiting: Numbers, difference: int) -> Line:
    site, hour_s = where
    both = told.plus(waiting)
    return Line(
        site=site,
        hour=datetime.fromtimestamp(hour_s, UTC),
        received=both.received,
        stored=counted[0],
        bot=counted[1],
        duplicate=both.duplicate,
        consent=both.consent,
        rejected=both.rejected,
        waiting=waiting.taken,
        difference=difference,
    )


def total(lines: Sequence[Line], site: str = "") -> Line:
    """The sum of lines. Differences do not cancel each other out. ValueError without any."""
    names = ("received", "stored", "bot", "duplicate", "consent", "rejected", "waiting")
    sums = {name: sum(getattr(line, name) for line in lines) for name in names}
    differences = [line.difference for line in lines]
    lost, twice = sum(one for one in differences if one > 0), sum(one for one in differences if one < 0)
    return Line(site, min(line.hour for line in lines), **sums, difference=lost or twice)


class _Moment(NamedTuple):
    """What tells that ingest is at work: its open batches, and how many entries have left each stream."""

    open: tuple[bytes, ...]
    left: tuple[int, ...]
    newest: tuple[str, ...]
    lengths: tuple[int, ...]


@dataclass(frozen=True)
class _Waiting:
    numbers: dict[Where, Numbers]
    in_batch: dict[Where, int]
    seen: int


def read_receipts(
    redis: RedisClient,
    history: History,
    settings: Settings,
    since: datetime,
    until: datetime,
    site: str = "",
    most_entries: int | None = None,
    tries: int = TRIES,
    sleep: Callable[[float], None] = time.sleep,
) -> Receipts:
    """Ask both stores, again until a moment was found in which ingest moved nothing, `tries` times at most.

    Whole hours, the one of `until` included. most_entries: read no more of what waits. Raises StoreDown.
    """
    reader = _Reader(redis, history, settings.partitions, since, until, site, most_entries)
    for left in range(tries - 1, -1, -1):
        found = reader.read()
        if found.settled or not left:
            return found
        sleep(PAUSE_S)
    raise AssertionError("tries is at least 1")


class _Reader:
    """One question to both stores."""

    def __init__(
        self,
        redis: RedisClient,
        history: History,
        partitions: int,
        since: datetime,
        until: datetime,
        site: str,
        most_entries: int | None,
    ) -> None:
        self._redis, self._history, self._partitions, self._site = redis, history, partitions, site
        self._since_s = hour_of(round(since.timestamp() * 1000))
        self._until_s = hour_of(round(until.timestamp() * 1000)) + 3600
        self._most = most_entries

    def read(self) -> Receipts:
        """The order matters: ingest writes the events of a batch, then its receipts, and trims the streams last."""
        streams = [keys.events(n) for n in range(self._partitions)] + [keys.unstored(n) for n in range(self._partitions)]
        before = self._moment(streams)
        waiting = self._waiting(streams, before)
        first = self._told()
        counted = self._counted()
        told = self._told()
        after = self._moment(streams)
        settled = not before.open and (before.open, before.left) == (after.open, after.left)
        in_motion = {} if settled else waiting.in_batch
        differences = _differences(first, counted, told, in_motion, self._begun_s())
        lengths = before.lengths
        lines = add_up(told, counted, waiting.numbers, differences)
        return Receipts(lines, settled, sum(lengths), sum(lengths[self._partitions :]), waiting.seen)

    def _moment(self, streams: Sequence[str]) -> _Moment:
        pipe = self._redis.pipeline(transaction=False)
        for worker in range(self._partitions):
            pipe.get(keys.manifest(worker))
        for stream in streams:
            pipe.exists(stream)
        found = call(pipe.execute)
        batches = tuple(batch for batch in found[: self._partitions] if batch)
        there = [stream for stream, known in zip(streams, found[self._partitions :], strict=True) if known]
        pipe = self._redis.pipeline(transaction=False)
        for stream in there:
            pipe.xinfo_stream(stream)
        known = dict(zip(there, call(pipe.execute) if there else [], strict=True))
        infos = [known.get(stream) for stream in streams]
        left = tuple(info["entries-added"] - info["length"] if info else 0 for info in infos)
        newest = tuple(info["last-generated-id"].decode() if info else "0-0" for info in infos)
        return _Moment(batches, left, newest, tuple(info["length"] if info else 0 for info in infos))

    def _waiting(self, streams: Sequence[str], moment: _Moment) -> _Waiting:
        """What the entries up to that moment say."""
        last = _last_in_batches(moment.open)
        found = _Waiting({}, {}, 0)
        seen = 0
        for stream, newest in zip(streams, moment.newest, strict=True):
            for stream_id, fields in self._entries(stream, newest):
                if self._most is not None and seen >= self._most:
                    return _Waiting(found.numbers, found.in_batch, seen)
                seen += 1
                said = numbers_of(fields)
                if said is None or not self._wanted(said[0]):
                    continue
                where, numbers = said
                found.numbers[where] = found.numbers.get(where, NONE).plus(numbers)
                if _number(stream_id) <= last.get(stream, (-1, -1)):
                    found.in_batch[where] = found.in_batch.get(where, 0) + numbers.taken
        return _Waiting(found.numbers, found.in_batch, seen)

    def _entries(self, stream: str, newest: str) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
        if newest == "0-0":
            return
        after = "-"
        while True:
            chunk = call(lambda after=after: self._redis.xrange(stream, after, newest, count=READ_AT_ONCE))  # type: ignore[misc]
            yield from chunk
            if len(chunk) < READ_AT_ONCE:
                return
            after = f"({chunk[-1][0].decode()}"

    def _wanted(self, where: Where) -> bool:
        return self._site in ("", where[0]) and self._since_s <= where[1] < self._until_s

    def _told(self) -> dict[Where, Numbers]:
        return {(site, _seconds(hour)): Numbers(*numbers) for site, hour, *numbers in self._ask(TOLD)}

    def _counted(self) -> dict[Where, tuple[int, int]]:
        return {(site, _seconds(hour)): (people, bots) for site, hour, people, bots in self._ask(COUNTED)}

    def _ask(self, sql: str) -> Iterable[tuple[Any, ...]]:
        return self._history.rows(sql, {"since": self._since_s, "until": self._until_s, "site": self._site})

    def _begun_s(self) -> int | None:
        """The first hour of which there are receipts: what is older came before there were any."""
        ((hour, count),) = self._history.rows(FIRST)
        return _seconds(hour) if count else None


def _differences(
    first: Mapping[Where, Numbers],
    counted: Mapping[Where, tuple[int, int]],
    last: Mapping[Where, Numbers],
    in_motion: Mapping[Where, int],
    begun_s: int | None,
) -> dict[Where, int]:
    """Events that were taken and are not there (above 0), or are there and were not taken (below).

    The events were counted after `first` was told and before `last` was; those of the batch in motion may be there already.
    """
    found = {}
    for where in {*first, *counted, *last}:
        if begun_s is None or where[1] < begun_s:
            continue
        there = sum(counted.get(where, (0, 0)))
        missing = first.get(where, NONE).taken - there
        too_many = there - last.get(where, NONE).taken - in_motion.get(where, 0)
        found[where] = max(0, missing) or -max(0, too_many)
    return found


def _last_in_batches(batches: Iterable[bytes]) -> dict[str, tuple[int, int]]:
    """Stream → the last id of it that is in an open batch."""
    found = {}
    for batch in batches:
        for partition, (_, last) in msgspec.json.decode(batch, type=dict[int, tuple[str, str]]).items():
            found[keys.events(partition)] = _number(last.encode())
    return found


def _number(stream_id: bytes) -> tuple[int, int]:
    milliseconds, _, number = stream_id.partition(b"-")
    return int(milliseconds), int(number or b"0")


def _seconds(hour: datetime) -> int:
    return round((hour if hour.tzinfo else hour.replace(tzinfo=UTC)).timestamp())
