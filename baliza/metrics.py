"""The metrics of all processes, named once. Every process of a data folder adds to the same numbers.

Workers write to memory-mapped files in PROMETHEUS_MULTIPROC_DIR, which the supervisor sets before anything imports this.
"""

import os
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

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
OFFERS: Final = Counter("baliza_offers", "Offer decisions, by what they fell back to", ["fallback"])
OFFER_SECONDS: Final = Histogram(
    "baliza_offer_seconds",
    "Time to decide an offer, without HTTP",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5),
)
CARTS_ABANDONED: Final = Counter("baliza_carts_abandoned", "Carts found abandoned by the retargeting loop", ["site"])


def exposition() -> bytes:
    """All numbers in Prometheus' text format: of all processes where they share a folder, else of this one."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
