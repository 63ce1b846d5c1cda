"""A feed into the catalogue: read to its end first, then compared with what is there, then only what differs is written."""

import heapq
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from baliza import stores
from baliza.errors import BadRequest, Conflict
from baliza.lease import Lease
from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import RedisClient
from personalizer.catalogue.feeds import RawRow
from personalizer.catalogue.item import CatalogueItem, decode_item, encode_item, merged_item
from personalizer.catalogue.rows import ATTRIBUTES, OTHERS, BadRow, checked_row, row_id
from personalizer.catalogue.spool import Record, Spool
from personalizer.catalogue.store import CatalogueStore
from schema import keys

__all__ = ["LEASE_MS", "BadLine", "Importer", "Mode", "RefusedReplace", "Report", "importer_of"]

Mode = Literal["replace", "merge"]
MAX_TOLD: Final = 1_000  # bad rows that a report lists
MAX_IGNORED: Final = 100
MOST_REMOVED: Final = 0.5  # share of the catalogue that a feed may drop without `force`
TRIES: Final = 10  # to write a row that somebody else writes at the same moment
LEASE_MS: Final = 60_000
USED: Final = frozenset({*ATTRIBUTES, *OTHERS})


class RefusedReplace(Conflict):
    """A feed would empty the shop; nothing was changed."""

    title = "Would remove too much"


class BadLine(Struct, frozen=True, order=True):
    """A row that was not taken. line: where it begins, of a JSON array which item it is. item_id: empty when unknown."""

    line: int
    item_id: str
    reason: str


class Report(Struct, frozen=True, kw_only=True):
    """What became of a feed. rows = taken + refused; taken = added + changed + unchanged.

    removed: items that the feed no longer has. kept: items of refused rows, which stay as they were. items: in the catalogue
    now. ignored: attributes that nothing is made of. bad: the refused rows, the first thousand of them. warning: what looks
    like a mistake of the feed as a whole; empty when nothing does.
    """

    mode: Mode
    dry_run: bool
    rows: int
    taken: int
    refused: int
    added: int
    changed: int
    unchanged: int
    removed: int
    kept: int
    items: int
    ignored: list[str]
    bad: list[BadLine]
    warning: str = ""


@dataclass
class _Tally:
    rows: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    kept: int = 0
    refused: int = 0
    before: int = 0
    ignored: set[str] = field(default_factory=set)
    worst: list[tuple[int, str, str]] = field(default_factory=list)  # a heap: the last lines first

    def ignore(self, names: Iterable[str]) -> None:
        """Remember attributes that nothing is made of, as far as they look like attributes."""
        if len(self.ignored) < MAX_IGNORED:
            self.ignored |= {name for name in names if len(name) <= 50}

    def refuse(self, line: int, item_id: str, reason: str) -> None:
        """Count a bad row; only the first MAX_TOLD by line are remembered."""
        self.refused += 1
        entry = (-line, item_id, reason)
        if len(self.worst) < MAX_TOLD:
            heapq.heappush(self.worst, entry)
        else:
            heapq.heappushpop(self.worst, entry)

    def bad(self) -> list[BadLine]:
        return sorted(BadLine(-line, item_id, reason) for line, item_id, reason in self.worst)


class Importer:
    """Feeds of one site. Everything blocks and raises StoreDown.

    lease: of the site's imports; only one at a time. confirm: waits until replicas have what was written in these
    partitions. folder: for what does not fit into memory.
    """

    def __init__(
        self,
        store: CatalogueStore,
        site: str,
        zone: tzinfo,
        lease: Lease,
        confirm: Callable[[Iterable[int]], None],
        now_ms: Callable[[], int],
        folder: Path | None = None,
    ) -> None:
        self._store, self._site, self._zone, self._lease = store, site, zone, lease
        self._confirm, self._now_ms, self._folder = confirm, now_ms, folder

    def run(
        self,
        rows: Iterable[RawRow],
        mode: Mode,
        *,
        dry_run: bool = False,
        force: bool = False,
        progress: Callable[[int], None] = lambda _rows: None,
    ) -> Report:
        """Take a feed. replace: it is all that is sold; merge: it adds to what is known, attribute by attribute.

        Raises BrokenFeed and RefusedReplace, and BadRequest when no row is good; then nothing was changed. progress: is told
        the number of rows now and then.
        """
        tally = _Tally()
        with Spool(self._store.partitions, self._folder) as spool:
            self._read(rows, spool, tally, progress)
            self._still_ours(mode, dry_run)
            try:
                self._look_before(spool, mode, tally, dry_run, force)
                self._write(spool, mode, tally, dry_run)
            finally:
                self._lease.release()
        if tally.refused == tally.rows:
            raise _nothing_good(tally)
        return _report(mode, dry_run, tally)

    def remove(self, item_ids: Sequence[str]) -> list[str]:
        """Take items out; those that were there. Events do not bring them back; a feed that has them does."""
        state = self._store.begin(self._site)
        found, touched = [], set()
        for item_id in item_ids:
            partition = self._store.partition_of(item_id)
            before = self._store.get_many(self._site, partition, [item_id]).get(item_id)
            if before is None and state.complete:
                continue
            if before is None or not decode_item(before).removed:
                found.append(item_id)
            self._store.apply(self._site, partition, {item_id: encode_item(CatalogueItem(removed=True))})
            touched.add(partition)
        if touched:
            self._confirm(touched)
            self._store.ring(self._site, self._now_ms())
        return found

    def clear(self) -> int:
        """Forget the whole catalogue: the shop is as if it never had sent one. How many rows there were."""
        self._hold()
        try:
            self._store.begin(self._site)
            removed = 0
            for partition in range(self._store.partitions):
                gone = [item_id for item_id, _ in self._store.rows(self._site, partition)]
                self._store.apply(self._site, partition, {}, gone)
                removed += len(gone)
            self._confirm(range(self._store.partitions))
            self._store.ring(self._site, self._now_ms(), complete=False)
        finally:
            self._lease.release()
        return removed

    def _still_ours(self, mode: Mode, dry_run: bool) -> None:
        """Whoever is slower than the lease must not write over what the next one wrote."""
        if mode == "replace" and not dry_run:
            self._hold()

    def _hold(self) -> None:
        if not self._lease.hold():
            raise Conflict(f"another feed of {self._site} is being taken just now; try again when it is done")

    def _read(self, rows: Iterable[RawRow], spool: Spool, tally: _Tally, progress: Callable[[int], None]) -> None:
        for raw in rows:
            tally.rows += 1
            if tally.rows % 1000 == 0:
                progress(tally.rows)
            tally.ignore(raw.values.keys() - USED)
            try:
                if raw.problem:
                    raise BadRow(raw.problem)
                checked = checked_row(raw.values, self._zone)
            except BadRow as error:
                item_id = _id_of(raw.values)
                tally.refuse(raw.line, item_id, str(error))
                if item_id:
                    spool.put(self._store.partition_of(item_id), raw.line, item_id, None)
                continue
            spool.put(self._store.partition_of(checked.item_id), raw.line, checked.item_id, checked.said)

    def _look_before(self, spool: Spool, mode: Mode, tally: _Tally, dry_run: bool, force: bool) -> None:
        """Nothing is written here: find double rows, and refuse what would empty the shop."""
        removed = good = 0
        tally.before = self._store.size(self._site) if mode == "merge" else 0
        for partition, records in spool.partitions():
            self._still_ours(mode, dry_run)
            first = _first_of_each(records, tally)
            good += sum(record.said is not None for record in first.values())
            if mode == "replace":
                ids = {item_id for item_id, row in self._store.rows(self._site, partition) if not decode_item(row).removed}
                tally.before += len(ids)
                removed += len(ids - first.keys())
        if not good:
            raise _nothing_good(tally)
        if mode == "replace" and not force and removed > MOST_REMOVED * tally.before:
            raise RefusedReplace(
                f"this feed has {good} items and would remove {removed} of the {tally.before} in the catalogue, more than "
                "half: it may be cut off. Nothing was changed. If it is right, send it again with force"
            )

    def _write(self, spool: Spool, mode: Mode, tally: _Tally, dry_run: bool) -> None:
        known = self._store.state(self._site) if dry_run else self._store.begin(self._site)
        first_feed = tally.before == 0 or (mode == "replace" and not (known and known.complete))
        touched = set()
        for partition, records in spool.partitions():
            self._still_ours(mode, dry_run)
            said = _first_of_each(records, None)
            if mode == "merge":
                wrote = self._merge(partition, said, tally, first_feed, dry_run)
            else:
                wrote = self._replace(partition, said, tally, first_feed, dry_run)
            if wrote:
                touched.add(partition)
        if dry_run or known is None:
            return
        if touched or (mode == "replace" and not known.complete):
            self._confirm(touched)
            self._store.ring(self._site, self._now_ms(), complete=True if mode == "replace" else None)

    def _replace(self, partition: int, said: Mapping[str, Record], tally: _Tally, first_feed: bool, dry_run: bool) -> bool:
        before = dict(self._store.rows(self._site, partition))
        changed = {}
        for item_id, record in said.items():
            old = before.get(item_id)
            if record.said is None:
                tally.kept += old is not None
                continue
            row = encode_item(self._item(record.said, None, old, first_feed))
            _count(tally, old, row)
            if row != old:
                changed[item_id] = row
        gone = [item_id for item_id in before if item_id not in said]
        tally.removed += sum(not decode_item(before[item_id]).removed for item_id in gone)
        if not dry_run and (changed or gone):
            self._store.apply(self._site, partition, changed, gone)
        return bool(changed or gone)

    def _merge(self, partition: int, said: Mapping[str, Record], tally: _Tally, first_feed: bool, dry_run: bool) -> bool:
        waiting, wrote = {item_id: record for item_id, record in said.items() if record.said is not None}, False
        kept = [item_id for item_id in said if item_id not in waiting]
        tally.kept += len(self._store.get_many(self._site, partition, kept))
        for _ in range(TRIES):
            if not waiting:
                return wrote
            before = self._store.get_many(self._site, partition, list(waiting))
            rows = {}
            for item_id, record in list(waiting.items()):
                old = before.get(item_id)
                try:
                    assert record.said is not None
                    rows[item_id] = (old, encode_item(self._item(record.said, old, old, first_feed)))
                except BadRow as error:
                    tally.refuse(record.line, item_id, str(error))
                    tally.kept += 1
                    del waiting[item_id]
            changed = {item_id: pair for item_id, pair in rows.items() if pair[0] != pair[1]}
            lost = set() if dry_run else set(self._store.exchange(self._site, partition, changed))
            wrote = wrote or len(lost) < len(changed)
            for item_id, (old, row) in rows.items():
                if item_id not in lost:
                    _count(tally, old, row)
            waiting = {item_id: waiting[item_id] for item_id in lost}
        if waiting:
            raise Conflict(f"items of {self._site} change faster than they can be written: {', '.join(sorted(waiting)[:5])}")
        return wrote

    def _item(self, said: dict[str, Any], onto: bytes | None, old: bytes | None, first_feed: bool) -> CatalogueItem:
        """The item after this row. onto: what it adds to; old: what was there, which says when it was seen first."""
        said = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
        before = decode_item(onto) if onto is not None else None
        if before is not None:
            _check_currency(before, said)
        item = merged_item(before, said)
        known = decode_item(old) if old is not None else None
        # What was there when the shop began to send feeds is not new.
        seen_ms = known.first_seen_ms if known else 0 if first_feed else self._now_ms()
        return structs.replace(item, first_seen_ms=seen_ms)


def importer_of(redis: RedisClient, settings: Settings, site: Site, now_ms: Callable[[], int]) -> Importer:
    """What takes feeds of this site into this store."""

    def confirm(partitions: Iterable[int]) -> None:
        stores.wait_for_replicas(redis, settings, [keys.tag(partition) for partition in partitions])

    lease = Lease(redis, f"catalogue-{site.name}", str(uuid.uuid4()), time.monotonic, LEASE_MS)
    folder = settings.data_dir if settings.data_dir.is_dir() else None
    store = CatalogueStore(redis, settings.partitions)
    return Importer(store, site.name, ZoneInfo(site.timezone), lease, confirm, now_ms, folder)


def _nothing_good(tally: _Tally) -> BadRequest:
    first = "".join(f"; line {bad.line}: {bad.reason}" for bad in tally.bad()[:1])
    return BadRequest(f"expected items, got {tally.rows} rows and none that can be taken{first}; nothing was changed")


def _id_of(values: Mapping[str, object]) -> str:
    try:
        return row_id(values)
    except BadRow:
        return ""


def _first_of_each(records: Iterable[Record], tally: _Tally | None) -> dict[str, Record]:
    """One record an item: the first good one, else a bad one. Later good ones are bad, which `tally` is told."""
    found: dict[str, Record] = {}
    for record in records:
        known = found.get(record.item_id)
        if known is None or (known.said is None and record.said is not None):
            found[record.item_id] = record
        elif record.said is not None and tally is not None:
            tally.refuse(record.line, record.item_id, f"id: the item was already in line {known.line}")
    return found


def _check_currency(before: CatalogueItem, said: Mapping[str, Any]) -> None:
    """Amounts of one item are of one currency."""
    rest = (before.price_micros, before.sale_price_micros, before.cost_micros)
    names = ("price_micros", "sale_price_micros", "cost_micros")
    stay = any(amount is not None and name not in said for name, amount in zip(names, rest, strict=True))
    if stay and said.get("currency") not in (None, before.currency):
        raise BadRow(f"price: expected {before.currency}, the currency of what stays of this item, got {said['currency']}")


def _count(tally: _Tally, old: bytes | None, row: bytes) -> None:
    if old is None or decode_item(old).removed:
        tally.added += 1
    elif old == row:
        tally.unchanged += 1
    else:
        tally.changed += 1


def _report(mode: Mode, dry_run: bool, tally: _Tally) -> Report:
    return Report(
        mode=mode,
        dry_run=dry_run,
        rows=tally.rows,
        taken=tally.rows - tally.refused,
        refused=tally.refused,
        added=tally.added,
        changed=tally.changed,
        unchanged=tally.unchanged,
        removed=tally.removed,
        kept=tally.kept,
        items=tally.before + tally.added - tally.removed,
        ignored=sorted(tally.ignored)[:MAX_IGNORED],
        bad=tally.bad(),
    )


def numbered(rows: Iterable[Mapping[str, object]]) -> Iterator[RawRow]:
    """Rows that come from no file, such as one item of a request."""
    return (RawRow(number, row) for number, row in enumerate(rows, start=1))
