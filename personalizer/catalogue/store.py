"""The catalogue in the live store: the truth about what is sold now.

Rows lie in the partition of their item's id. Each change writes rows and a line of the partition's log in one transaction,
so that who knows how far it has read finds what changed since. `change` of the state only says: look again.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from baliza.stores import RedisClient, call
from personalizer.catalogue.item import CatalogueItem, decode_item
from schema import keys

__all__ = ["ANOTHER_STORE", "NOWHERE", "CatalogueCopy", "CatalogueState", "CatalogueStore", "Position"]

Position = tuple[int, int]  # an entry of a log: ms and sequence of its stream id
NOWHERE: Final = (0, 0)  # nothing was ever written
ANOTHER_STORE: Final = (-1, -1)  # what was read was not read here
AT_ONCE: Final = 100  # rows in a transaction, which is one line of the log
SCANNED_AT_ONCE: Final = 1_000

# KEYS[1] rows   KEYS[2] log   ARGV[1] length of the log   ARGV[2] all ids   then id, row before ('' none), row after.
# Writes those whose row is still the one before; answers the ids of the others.
EXCHANGE: Final = """
local others, written = {}, false
for n = 3, #ARGV, 3 do
  if (redis.call('HGET', KEYS[1], ARGV[n]) or '') == ARGV[n + 1] then
    redis.call('HSET', KEYS[1], ARGV[n], ARGV[n + 2])
    written = true
  else
    others[#others + 1] = ARGV[n]
  end
end
if written then redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[1], '*', 'ids', ARGV[2]) end
return others
"""

_ids_encoder = msgspec.msgpack.Encoder().encode
_ids_decoder = msgspec.msgpack.Decoder(list[str]).decode


@dataclass(frozen=True)
class CatalogueState:
    """epoch: names this very store, so that another one is not taken for it. change: rises with every change.

    complete: a whole feed was taken, so what is not in the catalogue is not sold. updated_ms: when; 0 never.
    """

    epoch: bytes
    change: int
    complete: bool
    updated_ms: int


@dataclass(frozen=True)
class CatalogueCopy:
    """All rows as they are stored, and up to which entry of each log they go: shape (partitions, 2)."""

    state: CatalogueState
    rows: Mapping[str, bytes]
    positions: NDArray[np.int64]

    def items(self) -> dict[str, CatalogueItem]:
        return {item_id: decode_item(row) for item_id, row in self.rows.items()}


class CatalogueStore:
    """The rows of all sites. Everything blocks for round trips and raises StoreDown. For any thread."""

    def __init__(self, redis: RedisClient, partitions: int) -> None:
        self._redis, self.partitions = redis, partitions

    def state(self, site: str) -> CatalogueState | None:
        """None when this site never had a catalogue. One round trip."""
        names = ("epoch", "change", "complete", "updated_ms")
        epoch, *numbers = call(lambda: self._redis.hmget(keys.catalogue_state(site), names))
        if epoch is None:
            return None
        change, complete, updated_ms = (int(number or 0) for number in numbers)
        return CatalogueState(epoch, change, bool(complete), updated_ms)

    def partition_of(self, item_id: str) -> int:
        return keys.partition_of(item_id, self.partitions)

    def begin(self, site: str) -> CatalogueState:
        """The state; made when there is none. To be called before the first write."""
        key = keys.catalogue_state(site)
        call(lambda: self._redis.hsetnx(key, "epoch", secrets.token_hex(8)))
        state = self.state(site)
        assert state is not None
        return state

    def apply(self, site: str, partition: int, changed: Mapping[str, bytes], gone: Sequence[str] = ()) -> None:
        """Write rows of one partition and delete others; each hundred at once or not at all. Then ring()."""
        waiting = iter([*changed.items(), *((item_id, None) for item_id in gone)])
        while some := dict(islice(waiting, AT_ONCE)):
            self._apply_some(site, partition, some)

    def _apply_some(self, site: str, partition: int, some: Mapping[str, bytes | None]) -> None:
        rows = {item_id: row for item_id, row in some.items() if row is not None}
        gone = [item_id for item_id, row in some.items() if row is None]
        key, log = keys.catalogue(partition, site), keys.catalogue_log(partition, site)
        pipe = call(lambda: self._redis.pipeline(transaction=True))
        if rows:
            pipe.hset(key, mapping=rows)
        if gone:
            pipe.hdel(key, *gone)
        pipe.xadd(log, {"ids": _ids_encoder([*some])}, maxlen=keys.CATALOGUE_LOG, approximate=False)
        call(pipe.execute)

    def exchange(self, site: str, partition: int, rows: Mapping[str, tuple[bytes | None, bytes]]) -> list[str]:
        """Write (before, after) where the row is still the one before; the ids where somebody was faster. Then ring()."""
        others: list[str] = []
        waiting = iter(rows.items())
        while some := dict(islice(waiting, AT_ONCE)):
            said = [part for item_id, (before, after) in some.items() for part in (item_id, before or b"", after)]
            names = keys.catalogue(partition, site), keys.catalogue_log(partition, site)
            asked = (EXCHANGE, 2, *names, keys.CATALOGUE_LOG, _ids_encoder([*some]), *said)
            others += [item_id.decode() for item_id in call(lambda asked=asked: self._redis.eval(*asked))]  # type: ignore[misc]
        return others

    def ring(self, site: str, now_ms: int, complete: bool | None = None) -> int:
        """Tell that something changed. complete: what holds from now on, None as before. Answers the change number."""
        key = keys.catalogue_state(site)
        pipe = call(lambda: self._redis.pipeline(transaction=True))
        said = {"updated_ms": now_ms} | ({} if complete is None else {"complete": int(complete)})
        pipe.hset(key, mapping=said)
        pipe.hincrby(key, "change", 1)
        change: int = call(pipe.execute)[-1]
        return change

    def get(self, site: str, item_id: str) -> CatalogueItem | None:
        """One item. One round trip."""
        row = call(lambda: self._redis.hget(keys.catalogue(self.partition_of(item_id), site), item_id))
        return None if row is None else decode_item(row)

    def get_many(self, site: str, partition: int, item_ids: Sequence[str]) -> dict[str, bytes]:
        """The rows of those of these items, all of one partition, that are there."""
        found: dict[str, bytes] = {}
        for begin in range(0, len(item_ids), SCANNED_AT_ONCE):
            some = item_ids[begin : begin + SCANNED_AT_ONCE]
            rows = call(lambda some=some: self._redis.hmget(keys.catalogue(partition, site), some))  # type: ignore[misc]
            found |= {item_id: row for item_id, row in zip(some, rows, strict=True) if row is not None}
        return found

    def size(self, site: str) -> int:
        """How many rows there are. One round trip."""
        pipe = call(lambda: self._redis.pipeline(transaction=False))
        for partition in range(self.partitions):
            pipe.hlen(keys.catalogue(partition, site))
        return sum(call(pipe.execute))

    def rows(self, site: str, partition: int) -> Iterator[tuple[str, bytes]]:
        """All rows of one partition, a thousand at a time; a row that is written meanwhile may come twice."""
        cursor = 0
        while True:
            cursor, found = self.some_rows(site, partition, cursor)
            yield from found.items()
            if not cursor:
                return

    def some_rows(self, site: str, partition: int, cursor: int) -> tuple[int, dict[str, bytes]]:
        """About a thousand rows from `cursor` on (0: the beginning), and the cursor to go on with, 0 at the end."""
        key = keys.catalogue(partition, site)
        answer: tuple[int, dict[bytes, bytes]] = call(lambda: self._redis.hscan(key, cursor, count=SCANNED_AT_ONCE))
        return answer[0], {item_id.decode(): row for item_id, row in answer[1].items()}

    def positions(self, site: str) -> list[Position]:
        """The newest entry of each partition's log. One round trip."""
        pipe = call(lambda: self._redis.pipeline(transaction=False))
        for partition in range(self.partitions):
            pipe.xrevrange(keys.catalogue_log(partition, site), count=1)
        return [_position(found[0]) if found else NOWHERE for found in call(pipe.execute)]

    def changed_since(self, site: str, partition: int, since: Position) -> tuple[list[str] | None, Position]:
        """Ids of what changed after the entry `since`, each once, and the newest entry read.

        None in place of ids when that entry is no longer there: nobody knows what changed, so read the partition whole.
        """
        log = keys.catalogue_log(partition, site)
        found: list[Any] = call(
            lambda: self._redis.xrange(log, min="-" if since == ANOTHER_STORE else f"{since[0]}-{since[1]}")
        )
        if since != NOWHERE and found and _position(found[0]) == since:
            ids = [item_id for _, entry in found[1:] for item_id in _ids_decoder(entry[b"ids"])]
            return list(dict.fromkeys(ids)), _position(found[-1])
        return None, _position(found[-1]) if found else NOWHERE

    def copy(self, site: str) -> CatalogueCopy | None:
        """Everything of a site, for training; None when there is no catalogue. Blocks for many round trips."""
        state = self.state(site)
        if state is None:
            return None
        # Before the rows: what changes while they are read is read again by who goes on from here.
        positions = np.array(self.positions(site), np.int64)
        rows = {item_id: row for partition in range(self.partitions) for item_id, row in self.rows(site, partition)}
        return CatalogueCopy(state, rows, positions)


def _position(entry: Any) -> Position:
    ms, _, sequence = entry[0].partition(b"-")
    return int(ms), int(sequence)
