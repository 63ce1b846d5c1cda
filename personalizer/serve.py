"""Start the personalizer with real connections and clocks."""

import atexit
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from flask import Flask

from baliza import stores
from baliza.inline import Inline
from baliza.readiness.files import ReadinessShelf
from baliza.settings import Settings
from baliza.sites import CachedRegistry
from personalizer.app import STORE_SHARE, create_app
from personalizer.catalogue.app import add_catalogue_routes
from personalizer.catalogue.live import LiveCatalogue
from personalizer.catalogue.store import CatalogueStore
from personalizer.feedback.app import add_responses
from personalizer.feedback.log import DecisionLog
from personalizer.models.model import Model
from personalizer.models.next_item.compiled import COMPILED, keep_at_hand
from personalizer.models.shelf import ModelShelf
from personalizer.models.store import ModelStore
from personalizer.offers.endpoint import OFFERS_PATH
from personalizer.offers.insights import Insights

# Nobody waits for the log, and it tries again.
LOG_TIMEOUT_S: Final = 1.0
REPORT_TIMEOUT_S: Final = 30.0  # of silence

__all__ = ["decision_log", "personalizer_inline", "personalizer_wsgi"]


def personalizer_wsgi(settings: Settings) -> Flask:
    """The personalizer's Flask app with real connections, clocks and models."""
    redis, patient = stores.redis(settings, settings.offer_budget_ms / 1000 * STORE_SHARE), stores.redis(settings)
    registry = CachedRegistry(redis, time.monotonic)
    catalogue = LiveCatalogue(CatalogueStore(patient, settings.partitions), _now_ms, time.monotonic)
    insights = Insights(catalogue.view, time.monotonic, _now_ms)
    shelf = _filled_shelf(settings, catalogue, insights)
    catalogue.start()
    app = create_app(
        settings, redis, registry, shelf, _now_ms, time.monotonic, lambda: str(uuid.uuid4()),
        insights=insights, readiness=ReadinessShelf(settings.model_dir, time.monotonic),
        written=decision_log(settings), patient=patient,
    )  # fmt: skip
    add_catalogue_routes(app, settings, patient, registry, _now_ms)
    history = stores.History(lambda: stores.clickhouse(settings, REPORT_TIMEOUT_S))
    add_responses(app, history, registry, lambda: datetime.now(UTC))
    return app


def personalizer_inline(app: Flask) -> Mapping[str, Inline]:
    """What of this app the loop of the public port answers itself, by path."""
    return {OFFERS_PATH: app.extensions[OFFERS_PATH]}


def _filled_shelf(settings: Settings, catalogue: LiveCatalogue, insights: Insights) -> ModelShelf:
    """The models that there are, ready before the first request: nobody waits for them, nor for those that come later."""

    def prepare(site: str, model: Model) -> None:
        insights.prepare(site, model, catalogue.prepare(site, model))

    keep_at_hand(settings.model_dir / COMPILED)
    shelf = ModelShelf(ModelStore(settings.model_dir), time.monotonic, prepare, waits=False)
    shelf.fill()
    return shelf


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def decision_log(settings: Settings) -> DecisionLog:
    """The log of this process's decisions; what is left in it is written when the process ends in order."""
    log = DecisionLog(stores.redis(settings, LOG_TIMEOUT_S), settings.partitions, settings.decisions_max_waiting)
    atexit.register(log.close)
    return log
