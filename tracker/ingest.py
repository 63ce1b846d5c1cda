"""The loop that carries accepted events from the live store into the history, exactly once.

Read a range of each partition, write the ranges down, insert with a token made of them, trim the streams, forget the ranges.
Killed anywhere, it repeats the written ranges with the same token, and ClickHouse drops what it has. One process has the
lease of a share of the partitions at a time; docs/decisions says why two at once would do no harm either.
"""

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Final, NamedTuple

from clickhouse_driver.errors import Error as ClickHouseError

from baliza import metrics
from baliza.errors import BalizaError, StoreDown
from baliza.lease import Lease
from baliza.settings import Settings
from baliza.stores import History, RedisClient, call, replicas_to_wait_for, wait_for_replicas
from schema import keys
from tracker.batches import Entry, Manifest, age_s, fitting, plan, share, together
from tracker.brake import Brake, Braked, Complaints, Tally
from tracker.insertion import Insertion, Refused, culprits
from tracker.observe import settling
from tracker.quarantine import set_aside_command
from tracker.rows import Arrival, BadEntry, Known, arrival_of

__all__ = ["Ingest", "oldest_waiting_s"]

log = logging.getLogger("baliza.ingest")

ENTRIES_AT_LEAST: Final = 50
# More than this, and more than half of the latest, is not the entries' fault: another version wrote them, or ours is wrong.
BAD_MOST: Final = 20
# Each sets aside what it can find; a batch of which this is not enough waits for people.
SEARCHES_MOST: Final = 50
# An entry may have 512 KB: this bounds what is in memory at once, and keeps an insert one block, which its token relies on.
ENTRIES_PER_READ: Final = 400
INSERT_MOST_BYTES: Final = 16 * 1024 * 1024
BACKOFF_MOST_S: Final = 30.0
# On whose browser a customer was known is not noted again for so long, unless it is another's; of so many it is remembered.
NOTED_FOR_MS: Final = 600_000
NOTED_MOST: Final = 20_000
BRAKED_WAIT_S: Final = 30.0
Entries = Mapping[int, Sequence[Entry]]


class Waiting(NamedTuple):
    """An entry of a batch, and what it brings."""

    partition: int
    entry: Entry
    arrival: Arrival


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
        self._backlog = False
        self._insertion = Insertion(history, str(settings.ingest_worker))
        self._brake = Brake(redis, settings.ingest_worker)
        self._tally = Tally(BAD_MOST)
        self._noted: dict[tuple[str, str], Known] = {}

    def run(self, stop: threading.Event) -> None:
        """Carry events until told to stop. Failures are logged and tried again, more and more slowly."""
        wait_s = 0.0
        complaints = Complaints(time.monotonic)
        while not stop.wait(wait_s):
            began = time.monotonic()
            try:
                self.step()
                self._brake.release()
                complaints.over()
                # Only a backlog is worth hurrying for: many small inserts would cost the history more than they help.
                took_s = time.monotonic() - began
                wait_s = 0.0 if self._backlog else max(0.0, self._settings.ingest_interval_s - took_s)
            except Braked as error:
                metrics.INGEST_FAILURES.inc()
                wait_s = BRAKED_WAIT_S
                self._brake.pull(error)
                complaints.say(
                    logging.CRITICAL, "BRAKED: nothing is carried, all events wait in the live store", error, wait_s
                )
            except (BalizaError, ClickHouseError) as error:
                metrics.INGEST_FAILURES.inc()
                wait_s = min(BACKOFF_MOST_S, max(1.0, wait_s * 2))
                complaints.say(logging.WARNING, "events wait in the live store", error, wait_s)
        self._give_back()

    def step(self) -> int:
        """Carry one batch; answers the number of events. 0: none waits, or another process has the lease.

        Raises StoreDown, and Braked when the batch cannot be stored though the history answers; in both cases it stays open.
        """
        self._backlog = False
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
        self._backlog = True
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
                self._backlog |= waiting[partition] > len(found[partition])
                room -= size
                if room <= 0:
                    self._first, self._backlog = partition, True
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
        with _without_garbage_collection():
            carried = self._store(self._open(entries), manifest.token)
        self._note([waiting.arrival for waiting in carried])
        self._trim(manifest)
        call(lambda: self._redis.fcall("close_batch_v1", 1, key, manifest.encoded()))
        events = sum(waiting.arrival.events for waiting in carried)
        metrics.INGESTED.inc(events)
        return events

    def _open(self, entries: Entries) -> list[Waiting]:
        """What the entries bring; those that cannot be read are set aside. Raises Braked when they are too many."""
        readable: list[Waiting] = []
        unreadable: list[tuple[int, Entry, BadEntry]] = []
        for partition, found in entries.items():
            for entry in found:
                try:
                    readable.append(Waiting(partition, entry, arrival_of(entry[1])))
                except BadEntry as error:
                    unreadable.append((partition, entry, error))
        if unreadable:
            self._check(len(unreadable), len(readable), unreadable[0][2])
        for bad in unreadable:
            self._set_aside(*bad)
        return readable

    def _store(self, batch: list[Waiting], token: str) -> list[Waiting]:
        """Write a batch, without the entries that the history refuses, which are set aside. Answers what was written.

        The token stays the same: it stands for the ranges, and what was stored of them before must not be stored again.
        """
        for _ in range(SEARCHES_MOST):
            arrivals = [waiting.arrival for waiting in batch]
            try:
                self._insertion.write(arrivals, token)
            except Refused as refused:
                bad = culprits(self._insertion, arrivals, refused)
                self._check(len(bad), len(batch) - len(bad), refused)
                for place, why in bad.items():
                    self._set_aside(batch[place].partition, batch[place].entry, why)
                batch = [waiting for place, waiting in enumerate(batch) if place not in bad]
            else:
                self._tally.count(0, len(batch))
                return batch
        raise Braked(f"a batch is refused however much is taken out of it, now {len(batch)} entries are left")

    def _check(self, bad: int, good: int, why: BalizaError) -> None:
        if self._tally.too_bad(bad, good):
            raise Braked(f"{bad} of {bad + good} entries cannot be stored, the first because {why}")
        self._tally.count(bad, 0)

    def _set_aside(self, partition: int, entry: Entry, why: BalizaError) -> None:
        """Keep what cannot be stored, so that it neither stops the others nor gets lost; a repeated batch finds it gone."""
        stream_id = entry[0].decode()
        said = f"{why}: {why.said}" if isinstance(why, Refused) and why.said else str(why)
        command = set_aside_command(partition, stream_id, said, self._now_ms())
        if call(lambda: self._redis.execute_command(*command)):
            metrics.INGEST_SET_ASIDE.inc()
            log.error("set aside stream entry %s of partition %d: %s", stream_id, partition, why)

    def _note(self, arrivals: Sequence[Arrival]) -> None:
        """What customers did wherever they were: it lies with the customer, not with a visitor."""
        purchases = [purchase for arrival in arrivals for purchase in arrival.purchases]
        visits = self._news(arrival.known for arrival in arrivals)
        if not purchases and not visits:
            return
        pipe = self._redis.pipeline(transaction=False)
        for site, customer_id, at_ms, order_id, trusted in purchases:
            # The collector does so too; one that was killed before it could would let another word of the order count.
            pipe.execute_command(*settling(site, order_id, self._settings.partitions, trusted=trusted))
            if customer_id:
                pipe.fcall("note_purchase_v1", 1, self._customer(site, customer_id), at_ms, keys.VISITOR_TTL_MS)
        for site, customer_id, visitor_id, at_ms in visits.values():
            pipe.fcall("note_visit_v1", 1, self._customer(site, customer_id), visitor_id, at_ms, keys.VISITOR_TTL_MS)
        call(pipe.execute)
        self._remember(visits)

    def _news(self, said: Iterable[Known | None]) -> dict[tuple[str, str], Known]:
        """The latest of each customer that was not noted just before: who stays on one browser costs a look into a table."""
        visits = sorted(filter(None, said), key=attrgetter("at_ms"))
        latest = {(known.site, known.customer_id): known for known in visits}
        return {who: known for who, known in latest.items() if self._is_news(self._noted.get(who), known)}

    @staticmethod
    def _is_news(noted: Known | None, known: Known) -> bool:
        if noted is None or noted.visitor_id != known.visitor_id:
            return True
        return known.at_ms - noted.at_ms > NOTED_FOR_MS

    def _remember(self, visits: Mapping[tuple[str, str], Known]) -> None:
        if len(self._noted) > NOTED_MOST:
            self._noted.clear()
        self._noted |= visits

    def _customer(self, site: str, customer_id: str) -> str:
        return keys.customer(keys.partition_of(customer_id, self._settings.partitions), site, customer_id)

    def _trim(self, manifest: Manifest) -> None:
        pipe = self._redis.pipeline(transaction=False)
        for partition, (_, last) in manifest.ranges.items():
            milliseconds, _, number = last.partition("-")
            pipe.xtrim(keys.events(partition), minid=f"{milliseconds}-{int(number) + 1}", approximate=False)
        call(pipe.execute)
        # Else a failover may bring back what is stored, and with the manifest gone it would be stored under another token.
        self._wait_for_replicas(manifest)

    def _give_back(self) -> None:
        try:
            self._lease.release()
        except StoreDown:
            log.info("the lease runs out by itself: the live store does not answer")


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """A batch is many objects and no cycles; looking for some again and again is a fifth of the work."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def oldest_waiting_s(redis: RedisClient, partitions: int, now_ms: int) -> float:
    """Age in seconds of the oldest event that is not in the history yet. One round trip. Raises StoreDown."""
    pipe = redis.pipeline(transaction=False)
    for partition in range(partitions):
        pipe.xrange(keys.events(partition), count=1)
    return age_s(dict(enumerate(call(pipe.execute))), now_ms)
