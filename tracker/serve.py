"""The collector and the ingest loop with real connections and clocks."""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Final

from baliza import stores
from baliza.errors import StoreDown
from baliza.http import Probe
from baliza.lease import Lease
from baliza.loops import run_loop
from baliza.metrics import read_with
from baliza.readiness.files import ReadinessShelf
from baliza.settings import Settings, load_settings
from baliza.sites import CachedRegistry
from tracker.app import create_app
from tracker.brake import braked
from tracker.edge import EdgeApp
from tracker.ingest import Ingest, oldest_waiting_s
from tracker.quarantine import forget_old
from tracker.receipts_gauges import ReceiptGauges
from tracker.wsgi_bridge import Wsgi

# An insert takes a second; a history that is silent for longer hangs, and the batch is repeated with the same token.
INSERT_TIMEOUT_S: Final = 60.0
ASK_TIMEOUT_S: Final = 10.0
FORGET_EVERY_S: Final = 3600.0

log = logging.getLogger("baliza.ingest")

__all__ = ["serve_ingest", "tracker_edge", "tracker_wsgi"]


def now_ms() -> int:
    """The wall clock in milliseconds."""
    return time.time_ns() // 1_000_000


def tracker_edge() -> EdgeApp:
    """What a worker of the tracker runs, with the settings of now."""
    settings = load_settings()
    return EdgeApp(settings, tracker_wsgi(settings))


def tracker_wsgi(settings: Settings) -> Wsgi:
    """The tracker's Flask app with real connections and clocks."""
    redis = stores.redis(settings)
    shelf = ReadinessShelf(settings.model_dir, time.monotonic)
    return create_app(settings, redis, CachedRegistry(redis, time.monotonic), now_ms, _probes(settings, redis), shelf)


def _probes(settings: Settings, redis: stores.RedisClient) -> Mapping[str, Probe]:
    def lag() -> str:
        waiting_s = oldest_waiting_s(redis, settings.partitions, now_ms())
        if waiting_s > settings.ready_max_lag_s:
            raise StoreDown(
                f"events have waited {waiting_s:.0f} s for the history; the limit is {settings.ready_max_lag_s} s"
            )
        return f"{waiting_s:.1f} s"

    def brake() -> str:
        for worker, why in braked(redis, settings.ingest_workers).items():
            raise StoreDown(f"ingest {worker} is braked", why)
        return "released"

    answers = {"live_store": lambda: "answers" if stores.call(redis.ping) else "silent"}
    return answers | {"ingest_lag": lag, "ingest_brake": brake}


def serve_ingest(settings: Settings) -> None:
    """The ingest loop. Blocks until told to stop."""
    redis = stores.redis(settings)
    client = stores.clickhouse(settings, INSERT_TIMEOUT_S)
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    lease = Lease(redis, f"ingest-{settings.ingest_worker}", owner, time.monotonic)
    ingest = Ingest(settings, redis, stores.History(lambda: client), lease, owner, now_ms)

    asked = stores.clickhouse(settings, ASK_TIMEOUT_S)
    read_with(ReceiptGauges(redis, stores.History(lambda: asked), settings))

    def loop(_settings: Settings, stop: threading.Event) -> None:
        threading.Thread(target=_forget_old, args=(redis, settings, stop), name="quarantine", daemon=True).start()
        ingest.run(stop)

    run_loop("ingest", settings, loop, _probes(settings, redis))


def _forget_old(redis: stores.RedisClient, settings: Settings, stop: threading.Event) -> None:
    """Throw out, every hour, what has been in quarantine for too long."""
    wait_s = 0.0
    while not stop.wait(wait_s):
        wait_s = FORGET_EVERY_S
        try:
            forget_old(redis, settings.partitions, now_ms())
        except StoreDown as error:
            log.info("the quarantine is looked at again in an hour: %s", error)
