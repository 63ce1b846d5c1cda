"""The metrics of all processes, named once. Every process of a data folder adds to the same numbers.

Workers write to memory-mapped files in PROMETHEUS_MULTIPROC_DIR, which the supervisor sets before anything imports this.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily

RECEIVED: Final = Counter("baliza_events_received", "Events that came in, before any check", ["site"])
TAKEN: Final = Counter("baliza_events_taken", "Events accepted: they are safe in the live store", ["site"])
DROPPED: Final = Counter("baliza_events_dropped", "Events understood and not counted, by reason", ["site", "reason"])
REJECTED: Final = Counter("baliza_events_rejected", "Events that were not valid", ["site"])
ANSWERS: Final = Counter("baliza_collector_answers", "Answers of the collector, by HTTP status", ["status"])
INGESTED: Final = Counter("baliza_ingest_events", "Events written into the history")
INGEST_FAILURES: Final = Counter("baliza_ingest_failures", "Inserts into the history that failed and are repeated")
INGEST_LAG: Final = Gauge(
    "baliza_ingest_lag_seconds", "Age of the oldest event not yet in the history", multiprocess_mode="mostrecent"
)
INGEST_BRAKED: Final = Gauge(
    "baliza_ingest_braked",
    "1 while ingest carries nothing because nearly everything is refused",
    multiprocess_mode="mostrecent",
)
INGEST_SET_ASIDE: Final = Counter(
    "baliza_ingest_set_aside", "Stream entries that could not be stored: they are in quarantine"
)
OFFERS: Final = Counter("baliza_offers", "Offer decisions, by what they fell back to", ["fallback"])
OFFER_SECONDS: Final = Histogram(
    "baliza_offer_seconds",
    "Time to decide an offer, without HTTP",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5),
)
CARTS_ABANDONED: Final = Counter("baliza_carts_abandoned", "Carts found abandoned by the retargeting loop", ["site"])
DECISIONS_LOGGED: Final = Counter("baliza_decisions_logged", "Decisions written to the live store, for the history")
DECISIONS_DROPPED: Final = Counter(
    "baliza_decisions_dropped", "Decisions that were made and not logged, by reason", ["reason"]
)
DECISIONS_CARRIED: Final = Counter("baliza_decisions_carried", "Decisions written into the history")


class Read(NamedTuple):
    """A gauge that is read from the stores when somebody asks, in processes that may ask both."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


class Reading(NamedTuple):
    """What such a gauge shows now; `labels` in the order of the gauge's."""

    gauge: Read
    value: float
    labels: tuple[str, ...] = ()


RECEIPTS: Final = Read(
    "baliza_receipts_events", "Events by what became of them, of the current and the last hour of receipt",
    ("site", "hour", "fate"),
)  # fmt: skip
RECEIPTS_DIFFERENCE: Final = Read(
    "baliza_receipts_difference", "Events of 48 hours that are lost (above 0) or there twice (below 0)", ("site",)
)
RECEIPTS_READABLE: Final = Read("baliza_receipts_readable", "1 when both stores answered what the receipts are made of")
WAITING_ENTRIES: Final = Read("baliza_waiting_entries", "Requests whose events are not in the history yet")
UNSTORED_ENTRIES: Final = Read("baliza_unstored_entries", "Of these, the requests whose events cannot be stored")
OLDEST_WAITING: Final = Read("baliza_oldest_waiting_seconds", "Age of the oldest event not yet in the history")
QUARANTINE: Final = Read(
    "baliza_quarantine_events", "Refused events that are kept, were thrown out for newer ones, or became too old", ("state",)
)
DECISIONS_WAITING: Final = Read("baliza_decisions_waiting", "Decisions that are not in the history yet")
OLDEST_DECISION: Final = Read("baliza_oldest_decision_seconds", "Age of the oldest decision not yet in the history")
_readers: list[Callable[[], Iterable[Reading]]] = []


def read_with(reader: Callable[[], Iterable[Reading]]) -> None:
    """Show what this answers in exposition() too. It is called by any thread, and must not raise."""
    _readers.append(reader)


class _Gauges:
    """The readers' answers, as prometheus_client wants them."""

    def __init__(self, readings: Mapping[Read, list[Reading]]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for gauge, readings in self._readings.items():
            family = GaugeMetricFamily(gauge.name, gauge.help, labels=gauge.labels)
            for each in readings:
                family.add_metric(each.labels, each.value)
            yield family


def exposition() -> bytes:
    """All numbers in Prometheus' text format: of all processes where they share a folder, else of this one."""
    return _counted() + _read()


def _counted() -> bytes:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _read() -> bytes:
    readings = sorted((each for reader in _readers for each in reader()), key=lambda each: each.gauge)
    registry = CollectorRegistry()
    registry.register(_Gauges({gauge: list(each) for gauge, each in groupby(readings, key=lambda each: each.gauge)}))
    return generate_latest(registry)
