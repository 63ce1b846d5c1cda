"""The loop that carries accepted events from the live store into the history, exactly once.

Read a range of each partition, write the ranges down, insert with a token made of them, trim the streams, forget the ranges.
Killed anywhere, it repeats the written ranges with the same token, and ClickHouse drops what it has. One process has the
lease of a share of the partitions at a time; docs/decisions says why two at once would do no harm either.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from clickhouse_driver.errors import Error as ClickHouseError

from baliza import metrics
from baliza.errors import BalizaError, StoreDown
from baliza.lease import Lease
from baliza.settings import Settings
from baliza.stores import History, RedisClient, call, replicas_to_wait_for, wait_for_replicas
from schema import keys
from tracker.batches import Entry, Manifest, age_s, fitting, plan, share, together
from tracker.observe import settling
from tracker.rows import COLUMNS, BadEntry, Purchase, purchases_of, rows_of

__all__ = ["Ingest", "oldest_waiting_s"]

log = logging.getLogger("baliza.ingest")

INSERT: Final = f"INSERT INTO events ({', '.join(COLUMNS)}) VALUES"
ENTRIES_AT_LEAST: Final = 50
# More than this, and more than half of a batch, is not the entries' fault: another version wrote them, or ours is wrong.
UNREADABLE_MOST: Final = 20
# An entry may have 512 KB: this bounds what is in memory at once, and keeps an insert one block, which its token relies on.
ENTRIES_PER_READ: Final = 400
INSERT_MOST_BYTES: Final = 16 * 1024 * 1024
BACKOFF_MOST_S: Final = 30.0
Entries = Mapping[int, Sequence[Entry]]


class Ingest:
    """One worker. `now_ms` is the wall clock; everything that blocks is bounded by the drivers' time-outs."""

    def __init__(
        self, settings: Settings, redis: RedisClient, history: History, lease: Lease, owner: str, now_ms: Callable[[], int]
    ) -> None:
        self._settings, self._redis, self._history, self._lease = settings, redis, history, lease
        self._owner, self._now_ms = owner, now_ms
        self._partitions = share(settings.partitions, settings.ingest_workers, settings.ingest_worker)
        self._lease_key = keys.lease(f"ingest-{settings.ingest_worker}")
        self._manifest_key = keys.manifest(settings.ingest_worker)
        self._entries_each = max(ENTRIES_AT_LEAST, settings.ingest_max_events // len(self._partitions))
        self._first = self._partitions[0]
        self._finished_others = False

    def run(self, stop: threading.Event) -> None:
        """Carry events until told to stop. Failures are logged and tried again, more and more slowly."""
        wait_s = 0.0
        while not stop.wait(wait_s):
            try:
                # Only a backlog is worth hurrying for: many small inserts would cost the history more than they help.
                wait_s = 0.0 if self.step() >= self._settings.ingest_max_events // 2 else self._settings.ingest_interval_s
            except (BalizaError, ClickHouseError) as error:
                metrics.INGEST_FAILURES.inc()
                wait_s = min(BACKOFF_MOST_S, max(1.0, wait_s * 2))
                log.warning("events wait in the live store, next try in %.0f s: %s", wait_s, error)
        self._give_back()

    def step(self) -> int:
        """Carry one batch; answers the number of events. 0: nothing waits, or another process has the lease."""
        if not self._lease.hold():
            return 0
        if not self._finished_others:
            repeated = self._finish_others()
            self._finished_others = True
            if repeated:
                return repeated
        open_batch = call(lambda: self._redis.get(self._manifest_key))
        if open_batch:
            return self._repeat(self._manifest_key, Manifest.decoded(open_batch))
        entries = self._read_new()
        metrics.INGEST_LAG.set(age_s(entries, self._now_ms()))
        new_manifest = plan(entries)
        if new_manifest is None or not self._write_down(new_manifest):
            return 0
        self._make_sure(new_manifest, entries)
        return self._carry(self._manifest_key, new_manifest, entries)

    def _finish_others(self) -> int:
        """Finish what was left open when the number of workers was another: what is ours now was theirs then."""
        others = [keys.manifest(n) for n in range(self._settings.partitions) if n != self._settings.ingest_worker]
        pipe = self._redis.pipeline(transaction=False)
        for key in others:
            pipe.get(key)
        left = [(key, Manifest.decoded(found)) for key, found in zip(others, call(pipe.execute), strict=True) if found]
        mine = set(self._partitions)
        return sum(self._repeat(key, manifest) for key, manifest in left if mine & manifest.ranges.keys())

    def _repeat(self, key: str, manifest: Manifest) -> int:
        log.info("repeating the batch that was being written")
        waiting = self._read_ranges(manifest)
        self._make_sure(manifest, waiting)
        metrics.INGEST_LAG.set(age_s(waiting, self._now_ms()))
        return self._carry(key, manifest, waiting)

    def _read_new(self) -> Entries:
        """The oldest entries of our partitions, as many as make one insert. Partitions take turns at being the first."""
        waiting = self._waiting()
        found: dict[int, Sequence[Entry]] = {}
        room = INSERT_MOST_BYTES
        for group in together(waiting, self._entries_each, ENTRIES_PER_READ):
            pipe = self._redis.pipeline(transaction=False)
            for partition in group:
                pipe.xrange(keys.events(partition), count=self._entries_each)
            for partition, entries in zip(group, call(pipe.execute), strict=True):
                found[partition], size = fitting(entries, room)
                room -= size
                if room <= 0:
                    self._first = partition
                    return found
        return found

    def _waiting(self) -> dict[int, int]:
        """Partition → number of its entries, from the one at which the last insert was full."""
        begin = self._partitions.index(self._first)
        turned = [*self._partitions[begin:], *self._partitions[:begin]]
        pipe = self._redis.pipeline(transaction=False)
        for partition in turned:
            pipe.xlen(keys.events(partition))
        return dict(zip(turned, call(pipe.execute), strict=True))

    def _read_ranges(self, manifest: Manifest) -> Entries:
        pipe = self._redis.pipeline(transaction=False)
        for partition, (first, last) in manifest.ranges.items():
            pipe.xrange(keys.events(partition), first, last)
        return dict(zip(manifest.ranges, call(pipe.execute), strict=True))

    def _write_down(self, manifest: Manifest) -> bool:
        return bool(
            call(
                lambda: self._redis.fcall(
                    "plan_batch_v1", 2, self._lease_key, self._manifest_key, self._owner, manifest.encoded()
                )
            )
        )

    def _make_sure(self, manifest: Manifest, entries: Entries) -> None:
        """A failover must not take back what we store now: its sender was told nothing, and will send it again as new.

        Replicas get all in order: a master that has the last entry and a replica behind it has those before it too.
        """
        if not replicas_to_wait_for(self._settings):
            return
        self._wait_for_replicas(manifest)
        pipe = self._redis.pipeline(transaction=False)
        lasts = {partition: found[-1][0] for partition, found in entries.items() if found}
        for partition, last in lasts.items():
            pipe.xrange(keys.events(partition), last, last)
        gone = [partition for partition, found in zip(lasts, call(pipe.execute), strict=True) if not found]
        if gone:
            raise StoreDown("the live store has taken back what was not accepted yet", f"a failover in partitions {gone}")

    def _wait_for_replicas(self, manifest: Manifest) -> None:
        wait_for_replicas(self._redis, self._settings, [*map(keys.tag, manifest.ranges), self._lease_key])

    def _carry(self, key: str, manifest: Manifest, entries: Entries) -> int:
        rows, purchases = self._open(entries)
        if rows:
            self._insert(rows, manifest.token)
        self._note_purchases(purchases)
        self._trim(manifest)
        call(lambda: self._redis.fcall("close_batch_v1", 1, key, manifest.encoded()))
        metrics.INGESTED.inc(len(rows))
        return len(rows)

    def _open(self, entries: Entries) -> tuple[list[tuple[Any, ...]], list[Purchase]]:
        rows: list[tuple[Any, ...]] = []
        purchases: list[Purchase] = []
        unreadable: list[tuple[int, Entry, BadEntry]] = []
        for partition, found in entries.items():
            for entry in found:
                try:
                    rows.extend(rows_of(entry[1]))
                    purchases.extend(purchases_of(entry[1]))
                except BadEntry as error:
                    unreadable.append((partition, entry, error))
        if len(unreadable) > max(UNREADABLE_MOST, sum(map(len, entries.values())) // 2):
            raise BadEntry(f"{len(unreadable)} entries of one batch cannot be read, the first: {unreadable[0][2]}")
        for partition, entry, why in unreadable:
            self._quarantine(partition, entry, why)
        return rows, purchases

    def _insert(self, rows: list[tuple[Any, ...]], token: str) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)]
        options = {
            "insert_deduplication_token": token,
            "deduplicate_blocks_in_dependent_materialized_views": 1,
            # A server may have it on for its users; it would answer before the rows are there, and forget the token.
            "async_insert": 0,
            # A late batch may touch many months; each is a part of its own.
            "max_partitions_per_insert_block": 0,
        }
        client = self._history.client()
        call(lambda: client.execute(INSERT, columns, columnar=True, settings=options))

    def _note_purchases(self, purchases: Sequence[Purchase]) -> None:
        if not purchases:
            return
        pipe = self._redis.pipeline(transaction=False)
        partitions = self._settings.partitions
        for site, customer_id, at_ms, order_id, trusted in purchases:
            # The collector does so too; one that was killed before it could would let another word of the order count.
            pipe.execute_command(*settling(site, order_id, partitions, trusted=trusted))
            if customer_id:
                key = keys.customer(keys.partition_of(customer_id, partitions), site, customer_id)
                pipe.fcall("note_purchase_v1", 1, key, at_ms, keys.VISITOR_TTL_MS)
        call(pipe.execute)

    def _trim(self, manifest: Manifest) -> None:
        pipe = self._redis.pipeline(transaction=False)
        for partition, (_, last) in manifest.ranges.items():
            milliseconds, _, number = last.partition("-")
            pipe.xtrim(keys.events(partition), minid=f"{milliseconds}-{int(number) + 1}", approximate=False)
        call(pipe.execute)
        # Else a failover may bring back what is stored, and with the manifest gone it would be stored under another token.
        self._wait_for_replicas(manifest)

    def _quarantine(self, partition: int, entry: Entry, error: BadEntry) -> None:
        """Keep what we cannot read, so that it neither stops the others nor gets lost; a repeated batch keeps it twice."""
        stream_id, fields = entry
        log.error("quarantined stream entry %s of partition %d: %s", stream_id.decode(), partition, error)
        kept = {"site": "", "at": self._now_ms(), "error": str(error), "event": repr(dict(fields))}
        call(lambda: self._redis.xadd(keys.quarantine(partition), kept, maxlen=keys.QUARANTINE_MAX_ENTRIES))

    def _give_back(self) -> None:
        try:
            self._lease.release()
        except StoreDown:
            log.info("the lease runs out by itself: the live store does not answer")


def oldest_waiting_s(redis: RedisClient, partitions: int, now_ms: int) -> float:
    """Age in seconds of the oldest event that is not in the history yet. One round trip. Raises StoreDown."""
    pipe = redis.pipeline(transaction=False)
    for partition in range(partitions):
        pipe.xrange(keys.events(partition), count=1)
    return age_s(dict(enumerate(call(pipe.execute))), now_ms)
