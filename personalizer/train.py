"""Training: from the history in ClickHouse to a model file."""

import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History
from personalizer.catalogue.item import goods_of
from personalizer.catalogue.store import CatalogueStore
from personalizer.days import Clicks, DayFiles, read_clicks
from personalizer.learning_data import (
    Interactions,
    Items,
    Parameters,
    Progress,
    Span,
    interactions_of,
    read_items,
    read_span,
    with_catalogue,
)
from personalizer.models.model import ByteColumn, Model, Ragged, find, sorted_names
from personalizer.models.popular import best_sellers
from personalizer.models.similar import neighbours
from personalizer.models.store import ModelStore

__all__ = ["Trained", "learn", "train"]

DEFAULTS: Final = Parameters()
DAYS: Final = "days"  # folder of a site's day files, beside its models

log = logging.getLogger("baliza.train")


@dataclass(frozen=True)
class Trained:
    """A finished training."""

    version: str
    sessions: int
    events: int
    items: int


def train(
    history: History,
    settings: Settings,
    site: Site,
    now: datetime,
    progress: Progress = lambda _step, _done: None,
    parameters: Parameters = DEFAULTS,
    catalogue: CatalogueStore | None = None,
) -> Trained | None:
    """Learn one site's model and let it serve. None when there is nothing to learn from. Blocks. Raises StoreDown.

    catalogue: what is sold; its items are in the model with or without any event.
    """
    progress("reading the period", 0.0)
    span = read_span(history, settings, site, now)
    progress("reading items", 0.05)
    sold = catalogue.copy(site.name) if catalogue else None
    items = with_catalogue(read_items(history, site, span, parameters), sold)
    if not items.facts:
        log.info("no model for %s: its history of %d days holds no event with items", site.name, settings.train_days)
        return None
    seen = interactions_of(_clicks(history, settings, site, span, items, parameters, progress))
    progress("finding what goes together", 0.7)
    model = learn(items, seen, parameters)
    progress("writing", 0.95)
    about = _about(span, model, seen, parameters, now)
    version = ModelStore(settings.model_dir).save(site.name, model, about, now)
    progress("done", 1.0)
    return Trained(version, span.sessions, span.events, len(model))


def _clicks(
    history: History, settings: Settings, site: Site, span: Span, items: Items, parameters: Parameters, progress: Progress
) -> Clicks:
    files = DayFiles(settings.model_dir / site.name / DAYS)
    return read_clicks(
        history, site.name, span.since_ms, span.until_ms, parameters.max_clicks_per_session, files,
        lambda done: progress("reading sessions", 0.1 + 0.6 * done),
    ).numbered(sorted_names([fact.item_id for fact in items.facts]))  # fmt: skip


def learn(items: Items, seen: Interactions, parameters: Parameters) -> Model:
    """The model of what was read; items must come in the order of their ids' bytes. Pure."""
    n_items = len(items.facts)
    categories = sorted_names([fact.category for fact in items.facts if fact.category])
    category_of = np.array(find(categories, [fact.category for fact in items.facts]), np.int32)
    return Model(
        goods=items.goods or goods_of(items.facts),
        item_ids=sorted_names([fact.item_id for fact in items.facts]),
        facts_column=ByteColumn.of([msgspec.json.encode(fact) for fact in items.facts]),
        categories=categories,
        category_of=category_of,
        bought=_relation(seen, _cart_weights(seen), n_items, parameters.bought_shrinkage, parameters.neighbours),
        viewed=_relation(seen, _view_weights(seen), n_items, parameters.viewed_shrinkage, parameters.neighbours),
        sellers=best_sellers(np.zeros(n_items, np.int32), items.counts, 1, parameters.sellers),
        category_sellers=best_sellers(category_of, items.counts, len(categories), parameters.sellers_per_category),
    )


def _cart_weights(seen: Interactions) -> NDArray[np.float32]:
    """A purchase tells twice what a cart tells."""
    return np.where(seen.purchases > 0, 1.0, np.where(seen.cart_adds > 0, 0.5, 0.0)).astype(np.float32)


def _view_weights(seen: Interactions) -> NDArray[np.float32]:
    """Looking again tells something, but less each time."""
    return np.where(seen.views > 0, 1 + np.log(np.maximum(seen.views, 1)), 0).astype(np.float32)


def _relation(seen: Interactions, weights: NDArray[np.float32], n_items: int, shrinkage: float, most: int) -> Ragged:
    held = weights > 0
    return neighbours(seen.sessions[held], seen.items[held], weights[held], n_items, shrinkage=shrinkage, most=most)


def _about(span: Span, model: Model, seen: Interactions, parameters: Parameters, now: datetime) -> dict[str, object]:
    def instant(ms: int) -> str:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat()

    return {
        "trained_at": now.astimezone(UTC).isoformat(),
        "data": {"since": instant(span.since_ms), "until": instant(span.until_ms), "last_event": instant(span.last_ms)},
        "counts": {
            "sessions": span.sessions,
            "events": span.events,
            "items": len(model),
            "categories": len(model.categories),
            "interactions": len(seen.items),
            "bought_pairs": len(model.bought.items),
            "viewed_pairs": len(model.viewed.items),
        },
        "parameters": asdict(parameters),
    }
