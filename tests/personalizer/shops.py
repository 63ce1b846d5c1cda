"""Small shops for decisions: a model, its wares and what follows from them, of a few facts and sessions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from random import Random
from typing import Any, NamedTuple

import msgspec
import numpy as np

from personalizer.catalogue.item import goods_of
from personalizer.catalogue.view import model_goods, view_of
from personalizer.feedback.responses import Responses
from personalizer.learning.history import Interactions, Items, Parameters
from personalizer.learning.repeats import habits_of
from personalizer.learning.train import learn
from personalizer.models.model import UNKNOWN, ItemFacts, Model
from personalizer.offers.answer import Offer, offers_of
from personalizer.offers.decision import Dial, decide
from personalizer.offers.insight import Insight, insight_of
from personalizer.offers.situation import Candidates, Question, Reason
from tests.personalizer.planted import BOUGHT, NOW_MS, SHOP, VIEWED


class Told(NamedTuple):
    """One candidate."""

    item: int
    strength: float
    reason: Reason
    because: int


DAY_MS = 86_400_000
Sessions = Sequence[Sequence[str]]


def item(item_id: str, category: str = "", price: float | None = 39.9, **more: Any) -> ItemFacts:
    """Facts of an item. price in EUR."""
    micros = None if price is None else round(price * 1_000_000)
    known = ItemFacts(item_id, item_id.title(), category, micros, "EUR", f"http://shop.test/p/{item_id}", "")
    return msgspec.structs.replace(known, **more)


def shop(
    facts: Sequence[ItemFacts], bought: Sessions = (), viewed: Sessions = (), rebuy_days: Mapping[str, float] | None = None,
    chosen: Sequence[tuple[Sequence[str], Sequence[str]]] = (), now_ms: int = NOW_MS, responses: Responses | None = None,
) -> Insight:  # fmt: skip
    """A shop where these were bought, and looked at, together. rebuy_days: after how many days one is bought again.

    chosen: visits that looked at the first and bought the second.
    """
    facts = sorted(facts, key=lambda fact: fact.item_id)
    number = {fact.item_id: place for place, fact in enumerate(facts)}
    rows = [(session, number[name], 0.0, 1.0) for session, names in enumerate(bought) for name in names]
    rows += [(len(bought) + session, number[name], 1.0, 0.0) for session, names in enumerate(viewed) for name in names]
    for session, (names, taken) in enumerate(chosen, start=len(bought) + len(viewed)):
        rows += [(session, number[name], 1.0, float(name in taken)) for name in names]
    sessions, items, views, purchases = np.array(rows, np.float64).reshape(-1, 4).T
    counts = np.zeros((len(facts), 3))
    np.add.at(counts, (items.astype(int), 0), purchases)
    np.add.at(counts, (items.astype(int), 2), views)
    seen = Interactions(
        sessions.astype(np.uint64), items.astype(np.int32), views.astype(np.float32), np.zeros(len(rows), np.float32),
        purchases.astype(np.float32),
    )  # fmt: skip
    rebuy = np.full(len(facts), np.nan, np.float32)
    for name, days in (rebuy_days or {}).items():
        rebuy[number[name]] = days * 86_400
    read = Items(facts, counts, goods_of(facts))
    model = learn(read, seen, Parameters())
    model = replace(model, habits=habits_of(read, seen, model, rebuy), version="of-a-test")
    assert model.goods is not None
    return insight_of(model, view_of(model, model.goods, {}, False, now_ms), now_ms // 1000, responses)


def planted_shop() -> Insight:
    """The shop of planted.py."""
    return shop([item(name, category) for name, category in SHOP.items()], BOUGHT, VIEWED)


def told(found: Iterable[Candidates]) -> list[Told]:
    """All candidates one by one."""
    return [
        Told(item, strength, group.reason, because)
        for group in found
        for item, strength, because in zip(
            group.items, group.strengths, group.because or repeat(UNKNOWN, len(group.items)), strict=True
        )
    ]


def first_offer(model: Model, placement: str, item_id: str | None = None) -> Offer:
    """What somebody unknown is offered first."""
    view = view_of(model, model_goods(model), {}, False, NOW_MS)
    known = insight_of(model, view, NOW_MS // 1000)
    choice = decide(known, None, Question(placement, item_id, limit=1), Dial(), Random(1), NOW_MS)
    return offers_of(known, choice, NOW_MS)[0]
