"""Training: from the history in ClickHouse to a model file."""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History
from personalizer.catalogue.item import goods_of
from personalizer.catalogue.store import CatalogueStore
from personalizer.feedback.history import learn_responses
from personalizer.learning.days import Clicks, DayFiles, read_clicks
from personalizer.learning.gate import refusal, shrunk
from personalizer.learning.history import (
    Interactions,
    Items,
    Parameters,
    Progress,
    interactions_of,
    read_items,
    with_catalogue,
)
from personalizer.learning.ids import shortened
from personalizer.learning.repeats import read_habits
from personalizer.learning.span import Span, read_span
from personalizer.learning.witnesses import behaviour_of, set_apart, tried
from personalizer.models.behaviour import Behaviour
from personalizer.models.model import ByteColumn, Model, Ragged, find, places_of, sorted_names
from personalizer.models.next_item import NextItem
from personalizer.models.popular import best_sellers
from personalizer.models.similar import neighbours
from personalizer.models.store import BrokenModel, ModelStore

__all__ = ["Trained", "Wish", "learn", "train"]

DEFAULTS: Final = Parameters()
SEED: Final = 1  # the same history gives the same model
RECENT_MS: Final = 3 * 24 * 3600 * 1000
DAYS: Final = "days"  # folder of a site's day files, beside its models

log = logging.getLogger("baliza.train")


@dataclass(frozen=True)
class Wish:
    """full: learn anew what is costly, too. force: let the new model serve though it is clearly worse."""

    full: bool = False
    force: bool = False


NO_WISH: Final = Wish()


@dataclass(frozen=True)
class Trained:
    """A finished training. refused: why the model does not serve, empty when it does. trial: see gate.Trial.figures().
    long_ids: items that were left out, see ids.shortened().
    """

    version: str
    sessions: int
    events: int
    items: int
    full: bool
    took_s: float
    trial: Mapping[str, float | int]
    refused: str = ""
    long_ids: int = 0


@dataclass(frozen=True)
class Before:
    """The model that serves until now, and what was written down about it."""

    model: Model
    meta: Mapping[str, Any]


def train(
    history: History,
    settings: Settings,
    site: Site,
    now: datetime,
    progress: Progress = lambda _step, _done: None,
    parameters: Parameters = DEFAULTS,
    catalogue: CatalogueStore | None = None,
    wish: Wish = NO_WISH,
) -> Trained | None:
    """Learn one site's model and let it serve, unless it is clearly worse than the one that serves (see gate).

    None when there is nothing to learn from. catalogue: what is sold; its items are in the model with or without any event.
    Blocks. Raises StoreDown.
    """
    began = time.monotonic()
    progress("reading the period", 0.0)
    span = read_span(history, settings, site, now)
    progress("reading items", 0.05)
    sold = catalogue.copy(site.name) if catalogue else None
    learned, sold, long_ids = shortened(read_items(history, site, span, parameters), sold)
    if long_ids:
        log.warning("%s: %d items are left out, whose ids are far longer than the rest", site.name, long_ids)
    items = with_catalogue(learned, sold)
    if not items.facts:
        log.info("no model for %s: its history of %d days holds no event with items", site.name, settings.train_days)
        return None
    clicks = _clicks(history, settings, site, span, items, parameters, within(progress, 0.1, 0.3))
    store = ModelStore(settings.model_dir)
    before = _before(store, site.name)
    full = wish.full or _too_old(store, site, before, settings, now)
    progress("finding what goes together", 0.3)
    model = _counted(history, site, span, items, interactions_of(clicks), parameters, now)
    about = _about(span, model, len(clicks), long_ids, parameters, now)
    if before is None:
        # What is counted is there in a moment: a shop that has nothing yet does not wait for what takes minutes.
        store.save(site.name, model, about | {"full": False}, now)
    taught, witnesses = set_apart(clicks, span.until_ms)
    del clicks  # of a large shop a gigabyte, and from here on nobody asks
    behaviour = behaviour_of(taught)
    del taught
    model = replace(model, next_item=_next_item(behaviour, model, None if full else before, within(progress, 0.4, 0.9)))
    progress("asking about sessions kept apart", 0.92)
    trial, refused = _judged(model, before, witnesses, span, wish)
    progress("writing", 0.95)
    about |= _origin(full, before, now) | {"trial": trial} | ({"refused": refused} if refused else {})
    version = store.save(site.name, model, about, now, serve=not refused)
    progress("done", 1.0)
    took_s = time.monotonic() - began
    return Trained(version, span.sessions, span.events, len(model), full, took_s, trial, refused, long_ids)


def _counted(
    history: History, site: Site, span: Span, items: Items, seen: Interactions, parameters: Parameters, now: datetime
) -> Model:
    """All of the model that is counted: what goes together, sells, is bought again, and how offers were answered."""
    model = learn(items, seen, parameters)
    item_ids = [fact.item_id for fact in items.facts]
    return replace(
        model,
        habits=read_habits(history, site, span, items, seen, model),
        responses=learn_responses(history, site, span, item_ids, now),
    )


def within(progress: Progress, begin: float, end: float) -> Progress:
    """The progress of a part that goes from `begin` to `end` of the whole."""
    return lambda step, done: progress(step, begin + (end - begin) * done)


def _before(store: ModelStore, site: str) -> Before | None:
    """What serves now; None when nothing does that can be read."""
    try:
        model = store.load(site)
    except BrokenModel as error:
        log.error("%s; all is learned anew", error)
        return None
    return Before(model, store.meta(site, model.version)) if model else None


def _too_old(store: ModelStore, site: Site, before: Before | None, settings: Settings, now: datetime) -> bool:
    """Whether what is costly to learn is missing, or was last learned too long ago. A refused try counts as one."""
    if before is None or before.model.next_item is None:
        return True
    tries = [str(store.meta(site.name, version).get("full_at", "")) for version in store.versions(site.name)]
    last = max(tries, default="")
    return not last or (now - datetime.fromisoformat(last)).total_seconds() >= settings.train_full_interval_s


def _next_item(taught: Behaviour, model: Model, before: Before | None, progress: Progress) -> NextItem | None:
    """The ranker, on top of the one before if there is one; None when nobody did anything."""
    if not len(taught):
        return None
    previous = before.model.next_item if before else None
    if before and previous:
        previous = previous.renumbered(places_of(model.item_ids, before.model.item_ids), len(model))
    return NextItem.fit(taught, len(model), model.category_of, seed=SEED, progress=progress, previous=previous)


def _judged(
    model: Model, before: Before | None, witnesses: Clicks, span: Span, wish: Wish
) -> tuple[dict[str, float | int], str]:
    """How the model foresaw the sessions that it was not taught, and why it is refused, if it is."""
    if model.next_item is None:
        return {}, ""
    trial = tried(model.next_item, model.item_ids, witnesses)
    if before is None or before.model.next_item is None or wish.force:
        return trial.figures(), ""
    fewer = shrunk(span.sessions, int(before.meta.get("counts", {}).get("sessions", 0))) if _recent(before, span) else ""
    worse = refusal(trial, tried(before.model.next_item, before.model.item_ids, witnesses))
    return trial.figures(), fewer or worse


def _recent(before: Before, span: Span) -> bool:
    """Whether it was trained so lately that its history is still that of now; a shop may well halve in time."""
    if "trained_at" not in before.meta:
        return True
    trained = datetime.fromisoformat(str(before.meta["trained_at"]))
    return span.until_ms - trained.timestamp() * 1000 < RECENT_MS


def _origin(full: bool, before: Before | None, now: datetime) -> dict[str, object]:
    """Whether all was learned anew and when, and on top of which version if not."""
    if full or before is None:
        return {"full": True, "full_at": now.astimezone(UTC).isoformat()}
    return {"full": False, "full_at": before.meta.get("full_at", ""), "on_top_of": before.model.version}


def _clicks(
    history: History, settings: Settings, site: Site, span: Span, items: Items, parameters: Parameters, progress: Progress
) -> Clicks:
    files = DayFiles(settings.model_dir / site.name / DAYS)
    names = sorted_names([fact.item_id for fact in items.facts])
    return read_clicks(
        history, site.name, span.since_ms, span.until_ms, parameters.max_clicks_per_session, files,
        lambda done: progress("reading sessions", done), names.dtype.itemsize,
    ).numbered(names)  # fmt: skip


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
        bought=_relation(
            seen, _cart_weights(seen), n_items, parameters.bought_shrinkage, parameters.neighbours, parameters.bought_support
        ),
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


def _relation(
    seen: Interactions, weights: NDArray[np.float32], n_items: int, shrinkage: float, most: int, support: float = 0.0
) -> Ragged:
    held = weights > 0
    return neighbours(
        seen.sessions[held], seen.items[held], weights[held], n_items, shrinkage=shrinkage, most=most, support=support
    )


def _about(span: Span, model: Model, clicks: int, long_ids: int, parameters: Parameters, now: datetime) -> dict[str, object]:
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
            "clicks": clicks,
            "left_out_long_ids": long_ids,
            "bought_pairs": len(model.bought.items),
            "viewed_pairs": len(model.viewed.items),
        },
        "parameters": asdict(parameters),
    }
