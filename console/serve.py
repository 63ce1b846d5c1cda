"""Start the console with real connections and clocks."""

import time
from datetime import UTC, datetime
from typing import Final

from flask import Flask

from baliza import stores
from baliza.metrics import read_with
from baliza.servers import serve_wsgi
from baliza.settings import Settings
from baliza.sites import CachedRegistry
from console.app import create_app, history_answers
from personalizer.feedback.gauges import DecisionGauges
from tracker.receipts_gauges import ReceiptGauges

__all__ = ["console_wsgi", "serve_console"]

REPORT_TIMEOUT_S: Final = 30.0  # of silence; a report over a million sessions takes about two
READY_TIMEOUT_S: Final = 3.0


def console_wsgi(settings: Settings) -> Flask:
    """The console's Flask app with real connections and clocks."""
    redis = stores.redis(settings)
    history = stores.History(lambda: stores.clickhouse(settings, REPORT_TIMEOUT_S))
    asked = stores.History(lambda: stores.clickhouse(settings, READY_TIMEOUT_S))
    # Asked under a lock: one connection is enough, whichever thread it is.
    gauges_client = stores.clickhouse(settings, READY_TIMEOUT_S)
    read_with(ReceiptGauges(redis, stores.History(lambda: gauges_client), settings))
    read_with(DecisionGauges(redis, settings.partitions, lambda: time.time_ns() // 1_000_000))
    return create_app(
        settings,
        redis,
        history,
        CachedRegistry(redis, time.monotonic),
        lambda: datetime.now(UTC),
        probes={"history": lambda: history_answers(asked)},
    )


def serve_console(settings: Settings) -> None:
    """The console on the private port. Blocks until told to stop."""
    serve_wsgi(lambda: console_wsgi(settings), settings.private_host, settings.private_port, settings.wsgi_threads)
