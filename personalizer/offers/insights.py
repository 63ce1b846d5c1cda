"""The insights that a serving process holds, by site: brought up to date when the model or the catalogue changed."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from personalizer.catalogue.item import goods_of
from personalizer.catalogue.view import CatalogueView, view_of
from personalizer.models.model import Model
from personalizer.offers.insight import Insight, insight_of

__all__ = ["Insights", "Views", "own_view"]

# What is new and what is typical changes slowly; what is for sale is in the view, which is always the newest.
KEEP_S: Final = 30.0

# The catalogue in a model's numbers, of now: LiveCatalogue.view.
Views = Callable[[str, Model], CatalogueView]


class Insights:
    """For any thread. monotonic: seconds. now_ms: the clock."""

    def __init__(self, views: Views, monotonic: Callable[[], float], now_ms: Callable[[], int]) -> None:
        self._views, self._monotonic, self._now_ms = views, monotonic, now_ms
        self._known: dict[str, tuple[Insight, float]] = {}
        self._coming: dict[str, Insight] = {}
        self._lock = threading.Lock()

    def get(self, site: str, model: Model) -> Insight:
        """The insight of now. Mostly two look-ups; some milliseconds for a large shop when something changed."""
        view = self._views(site, model)
        known = self._known.get(site)
        if known is not None and known[0].model is model:
            insight, made_at = known
            if insight.wares is view:
                return insight
            if self._monotonic() - made_at < KEEP_S:
                insight = replace(insight, wares=view)
                self._known[site] = insight, made_at
                return insight
        with self._lock:
            coming = self._coming.pop(site, None)
            if coming is not None and coming.model is model:
                insight = replace(coming, wares=view)
            else:
                insight = insight_of(model, view, self._now_ms() // 1000)
            self._known[site] = insight, self._monotonic()
        return insight

    def prepare(self, site: str, model: Model, view: CatalogueView) -> None:
        """Make the insight of a model that will be asked for soon, while another one still serves."""
        insight = insight_of(model, view, self._now_ms() // 1000)
        with self._lock:
            self._coming[site] = insight


def own_view(now_ms: Callable[[], int]) -> Views:
    """Views of a process without a live catalogue: what the model says itself, as it was when it was first asked."""
    made: dict[str, CatalogueView] = {}

    def view(site: str, model: Model) -> CatalogueView:
        known = made.get(site)
        if known is None or known.model is not model:
            goods = model.goods or goods_of([model.facts(item) for item in range(len(model))])
            known = made[site] = view_of(model, goods, {}, False, now_ms())
        return known

    return view
