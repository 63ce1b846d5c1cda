"""The demo's shop after weeks of simulated shoppers with known tastes: what was learned of them, ready to decide with."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

import msgspec
import numpy as np

from demo.catalogue import PRODUCTS
from demo.walks import history
from personalizer.catalogue.item import goods_of
from personalizer.catalogue.view import view_of
from personalizer.learning.history import Interactions, Items, Parameters
from personalizer.learning.repeats import habits_of
from personalizer.learning.train import learn
from personalizer.models.behaviour import CART, PURCHASE, VIEW, Behaviour
from personalizer.models.model import ItemFacts, Model
from personalizer.models.next_item import NextItem
from personalizer.offers.insight import Insight, insight_of
from tests.personalizer.planted import NOW, NOW_MS

KINDS = {"view_item": VIEW, "add_to_cart": CART, "purchase": PURCHASE}
CONSUMABLES = ("BEANS-1", "FILTER-1", "OIL-1", "SOIL-1", "INK-1")


@dataclass(frozen=True)
class Click:
    """One event of one item. kind: as in Behaviour; second: unix."""

    visit: int
    item: str
    kind: int
    second: int


def facts() -> list[ItemFacts]:
    """The demo's products as the catalogue has them; a third of each price is earned."""
    found = []
    for product in PRODUCTS:
        micros = int(product.price * 1_000_000)
        found.append(
            ItemFacts(
                product.item_id, product.name, product.category, micros, "EUR", f"http://shop.test/p/{product.item_id}", "",
                brand=product.brand, categories=product.category, margin_micros=micros // 3,
                consumable=product.item_id in CONSUMABLES, listed=True,
            )
        )  # fmt: skip
    return sorted(found, key=lambda fact: fact.item_id.encode())


def clicks(shoppers: int, seed: int) -> Iterator[Click]:
    """What shoppers of the last three weeks did."""
    for visit, batch in enumerate(history(21, shoppers, random.Random(seed), NOW)):
        events: Sequence[dict[str, object]] = batch.body["events"]  # type: ignore[assignment]
        for event in events:
            kind = KINDS.get(str(event["type"]))
            if kind is not None:
                second = int(datetime.fromisoformat(str(event["occurred_at"])).timestamp())
                for item in event["items"]:  # type: ignore[attr-defined]
                    yield Click(visit, item["item_id"], kind, second)


@cache
def simulated_shop(*, ranked: bool = False, shoppers: int = 700, seed: int = 11) -> Insight:
    """Learned as training learns, but from memory. ranked: with the model of next items, which takes its time."""
    known = facts()
    number = {fact.item_id: place for place, fact in enumerate(known)}
    seen = list(clicks(shoppers, seed))
    counted = Counter((click.visit, number[click.item], click.kind) for click in seen)
    cells = sorted({(visit, item) for visit, item, _ in counted})
    table = np.array([[visit, item, *(counted[visit, item, kind] for kind in range(3))] for visit, item in cells])
    counts = np.zeros((len(known), 3))
    for place, kind in enumerate((PURCHASE, CART, VIEW)):
        np.add.at(counts, (table[:, 1], place), table[:, 2 + kind])
    visits, items, *columns = table.T
    columns = [column.astype(np.float32) for column in columns]
    read = Items(known, counts, goods_of(known))
    interactions = Interactions(visits.astype(np.uint64), items.astype(np.int32), *columns)
    model = learn(read, interactions, Parameters())
    ranker = _ranker(seen, number, model) if ranked else None
    habits = habits_of(read, interactions, model, np.full(len(known), np.nan, np.float32))
    return insight(replace(model, next_item=ranker, habits=habits))


def _ranker(seen: Sequence[Click], number: Mapping[str, int], model: Model) -> NextItem:
    rows = np.array([(click.visit, number[click.item], click.kind, click.second) for click in seen])
    behaviour = Behaviour.of_rows(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3])
    return NextItem.fit(behaviour, len(model), model.category_of, seed=1)


def insight(model: Model) -> Insight:
    """With the catalogue as the model has it."""
    assert model.goods is not None
    return insight_of(model, view_of(model, model.goods, {}, True, NOW_MS), NOW_MS // 1000)


def changed(known: Insight, **items: dict[str, object]) -> Insight:
    """The same shop after the catalogue changed: fields of facts by item id, with _ for -."""
    fields = {name.replace("_", "-"): value for name, value in items.items()}
    told = [
        msgspec.structs.replace(fact, **fields.get(fact.item_id, {}))
        for fact in (known.model.facts(place) for place in range(len(known.model)))
    ]
    goods = goods_of(told)
    news = {fact.item_id: None for fact in ()}
    view = view_of(replace(known.model, goods=goods), goods, news, True, NOW_MS)
    return insight_of(known.model, view, NOW_MS // 1000)
