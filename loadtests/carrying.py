"""How fast ingest carries waiting events into the history: streams filled first, then `Ingest.step` until nothing waits."""

import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from baliza import stores
from baliza.lease import Lease
from demo.walks import Batch, history
from loadtests.client import LoadError, send
from loadtests.collecting import accepted
from loadtests.figures import Figure
from loadtests.payloads import posts_of_history
from loadtests.processes import cpu_s, load_core
from loadtests.servers import Box
from tracker.ingest import Ingest

__all__ = ["PART", "PER_CPU_S", "events_in", "measure", "past_visits"]

PART: Final = "ingest"
PER_CPU_S: Final = "carried per CPU second of the ingest process"
DAYS: Final = 14
EVENTS_PER_SHOPPER: Final = 20  # less than the mean of demo.walks, so that there are enough


def past_visits(events: int, days: int, seed: int) -> list[Batch]:
    """Whole visits of simulated shoppers, `events` events or slightly more."""
    rng, now = random.Random(seed), datetime.now(UTC)
    chosen: list[Batch] = []
    count = 0
    for batch in history(days, events // EVENTS_PER_SHOPPER + 50, rng, now, "https://shop.example"):
        chosen.append(batch)
        count += events_in(batch)
        if count >= events:
            return chosen
    raise LoadError(f"expected {events} events of simulated shoppers, got {count}")


def events_in(batch: Batch) -> int:
    """How many events a batch has."""
    events = batch.body["events"]
    assert isinstance(events, list)
    return len(events)


def measure(opened: Box, visits: Sequence[Batch], tell: Callable[[str], None]) -> list[Figure]:
    """Send the visits to a collector, then carry them. Blocks. LoadError when an event is not in the history afterwards."""
    count = sum(events_in(batch) for batch in visits)
    tell(f"ingest: filling the streams with {count:,} events")
    with opened.serving("tracker") as collector:
        send(collector.address, posts_of_history(visits), 8, accepted).expect_all_good("past visits")
    tell("ingest: carrying them into the history")
    client = stores.clickhouse(opened.settings)
    lease = Lease(opened.redis, "ingest-0", "bench", time.monotonic)
    past = stores.History(lambda: client)
    ingest = Ingest(opened.settings, opened.redis, past, lease, "bench", lambda: time.time_ns() // 1_000_000)
    engine = opened.clickhouse.pid if opened.clickhouse else None
    assert engine is not None
    cpu_before = cpu_s([engine]), cpu_s([opened.valkey_pid])
    own, wall = time.process_time(), time.perf_counter()
    with load_core():
        carried = _until_empty(ingest)
    own, wall = time.process_time() - own, time.perf_counter() - wall
    engine_s, valkey_s = cpu_s([engine]) - cpu_before[0], cpu_s([opened.valkey_pid]) - cpu_before[1]
    stored = past.rows("SELECT count() FROM events")[0][0]
    lease.release()
    client.disconnect()
    if not carried == stored == count:
        raise LoadError(f"expected {count} events in the history, carried {carried} and found {stored}")
    note = f"{count:,} events of simulated shoppers, with the materialized views"
    return [
        Figure(PART, "carried per second", count / wall, "events/s", note),
        Figure(PART, PER_CPU_S, count / own, "events/CPU s", note),
        Figure(PART, "CPU of the ingest process", own * 1e6 / count, "µs per event"),
        Figure(PART, "CPU of the ClickHouse engine", engine_s * 1e6 / count, "µs per event", "views and merges included"),
        Figure(PART, "CPU of Valkey", valkey_s * 1e6 / count, "µs per event"),
    ]


def _until_empty(ingest: Ingest) -> int:
    total = 0
    while carried := ingest.step():
        total += carried
    return total
