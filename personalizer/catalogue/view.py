"""What offers see of the catalogue: arrays by the model's item numbers, as they are at one instant. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from personalizer.catalogue.item import decode_item, first_level, goods_of, item_facts, usual_currency
from personalizer.models.goods import AVAILABILITIES, NEVER, PRODUCT, UNKNOWN, Goods
from personalizer.models.model import ItemFacts, Model, find

__all__ = ["CatalogueView", "News", "model_goods", "view_of"]

NO_RULE: Final = (frozenset[str](), frozenset[str]())
LEAST_MARGIN: Final = 0.01  # of the price: 0 would say that nobody knows, and a loss is not worth what is usual
OUT_OF_STOCK: Final = AVAILABILITIES.index("out_of_stock")
CURRENCY_SAMPLE: Final = 200  # items
# Rows that changed since the model's copy, by item id; None for a row that is gone.
News = Mapping[str, bytes | None]


@dataclass(frozen=True, eq=False)
class CatalogueView:
    """The catalogue at `as_of_ms`. Arrays of shape (items,), never to be written to; a new view comes for every change.

    sellable: may be offered at all. price: what it costs now, in major units, nan where nobody said. value: what selling
    one is worth: its margin; where that is not known its price times the shop's usual margin; where that is not known
    either the shop's median. variant_of: number of the group of which one is shown, UNKNOWN where in none. first_seen_s: 0
    when it was there from the beginning. kind: place in KINDS. expires_s: NEVER where open. consumable: 1, 0, UNKNOWN.
    until_s: when sales or expiries change the next time, unix seconds. rules: item → placements where alone it may be shown,
    if any, and where never.
    """

    model: Model
    as_of_ms: int
    sellable: NDArray[np.bool_]
    price: NDArray[np.float32]
    value: NDArray[np.float32]
    category_of: NDArray[np.int32]
    variant_of: NDArray[np.int32]
    first_seen_s: NDArray[np.int64]
    kind: NDArray[np.uint8]
    expires_s: NDArray[np.int64]
    consumable: NDArray[np.int8]
    until_s: int
    complete: bool
    rules: Mapping[int, tuple[frozenset[str], frozenset[str]]]
    news: News = field(default_factory=dict)

    def facts(self, item: int) -> ItemFacts:
        """What is known of an item now: the newest words of the feed, with the price of now."""
        known = self.model.facts(item)
        if known.item_id in self.news:
            row = self.news[known.item_id]
            known = _gone(known) if row is None else item_facts(known.item_id, decode_item(row), known)
        return known.at(self.as_of_ms)

    @cached_property
    def open_until_s(self) -> NDArray[np.int64]:
        """Until when each item may be offered, 0 when it may not."""
        return np.where(self.sellable, self.expires_s, 0)

    @cached_property
    def plain(self) -> bool:
        """Nothing but products, which the catalogue keeps from no placement."""
        return not self.rules and not (self.kind != PRODUCT).any()

    def allows(self, item: int, placement: str) -> bool:
        """False when the catalogue keeps the item from this placement."""
        only, never = self.rules.get(item, NO_RULE)
        return placement not in never and (not only or placement in only)


def _gone(known: ItemFacts) -> ItemFacts:
    return msgspec.structs.replace(known, listed=False)


def model_goods(model: Model) -> Goods:
    """The model's own copy of the catalogue; made of its facts in models that have none."""
    return model.goods or goods_of([model.facts(item) for item in range(len(model))])


def view_of(model: Model, goods: Goods, news: News, complete: bool, now_ms: int) -> CatalogueView:
    """The catalogue at `now_ms`: the model's copy `goods`, and over it what changed since."""
    rules = _rules_of(model, goods)
    category_of = model.category_of
    if news:
        goods, category_of, rules = _with_news(model, goods, news, rules)
    now_s = now_ms // 1000
    price = _price(goods, now_s)
    open_ = (goods.expires_s > now_s) & (goods.availability != OUT_OF_STOCK)
    return CatalogueView(
        model=model,
        as_of_ms=now_ms,
        sellable=open_ & goods.listed if complete else open_,
        price=price,
        value=_value(price, goods.price, goods.cost),
        category_of=category_of,
        variant_of=goods.variant_of,
        first_seen_s=goods.first_seen_s,
        kind=goods.kind,
        expires_s=goods.expires_s,
        consumable=goods.consumable,
        until_s=_next_change(goods, now_s),
        complete=complete,
        rules=rules,
        news=news,
    )


def _rules_of(model: Model, goods: Goods) -> dict[int, tuple[frozenset[str], frozenset[str]]]:
    found = {}
    for item in goods.placed.tolist():
        facts = model.facts(item)
        found[item] = (frozenset(facts.placements), frozenset(facts.excluded_placements))
    return found


def _price(goods: Goods, now_s: int) -> NDArray[np.float32]:
    on_sale = (goods.sale_from_s <= now_s) & (goods.sale_until_s > now_s) & ~np.isnan(goods.sale_price)
    return np.where(on_sale, goods.sale_price, goods.price).astype(np.float32)


def _value(price: NDArray[np.float32], regular: NDArray[np.float32], cost: NDArray[np.float32]) -> NDArray[np.float32]:
    """Margin at the price of now, a hundredth of it at least; without a cost, price × the median share of margin."""
    margin = np.maximum(price - cost, price * np.float32(LEAST_MARGIN))
    rates = ((regular - cost) / np.where(regular > 0, regular, np.nan))[~np.isnan(cost)]
    rates = rates[~np.isnan(rates)]
    usual = float(np.clip(np.median(rates), LEAST_MARGIN, 1)) if len(rates) else 1.0
    value = np.where(np.isnan(margin), price * np.float32(usual), margin)
    known = value[~np.isnan(value)]
    return np.where(np.isnan(value), np.median(known) if len(known) else 1.0, value).astype(np.float32)


def _next_change(goods: Goods, now_s: int) -> int:
    """The next instant at which a sale begins or ends or something expires, NEVER when nothing does."""
    return min(
        int(np.min(instants, initial=NEVER, where=instants > now_s))
        for instants in (goods.sale_from_s, goods.sale_until_s, goods.expires_s)
    )


def _with_news(
    model: Model, goods: Goods, news: News, rules: Mapping[int, tuple[frozenset[str], frozenset[str]]]
) -> tuple[Goods, NDArray[np.int32], dict[int, tuple[frozenset[str], frozenset[str]]]]:
    """The model's copy with the rows that changed in it. Items that the model does not know are passed over."""
    ids = list(news)
    met = [(item, item_id) for item, item_id in zip(model.find_items(ids), ids, strict=True) if item != UNKNOWN]
    facts, items = _changed_facts(model, news, met)
    changed = goods_of(facts, currency=_currency(model) or None)
    by_item = {name: _put(getattr(goods, name), items, getattr(changed, name)) for name in _TAKEN}
    category_of = _put(model.category_of, items, _categories(model, facts))
    again = set(items)
    rules = {item: rule for item, rule in rules.items() if item not in again}
    rules |= {
        item: (frozenset(entry.placements), frozenset(entry.excluded_placements))
        for item, entry in zip(items, facts, strict=True)
        if entry.placements or entry.excluded_placements
    }
    variant_of = _put(goods.variant_of, items, _groups(goods, facts))
    return replace(goods, **by_item, variant_of=variant_of), category_of, rules


_TAKEN: Final = (
    "price", "sale_price", "sale_from_s", "sale_until_s", "cost", "availability", "expires_s", "first_seen_s", "kind",
    "consumable", "listed",
)  # fmt: skip


def _changed_facts(model: Model, news: News, met: list[tuple[int, str]]) -> tuple[list[ItemFacts], list[int]]:
    facts, items = [], []
    for item, item_id in met:
        row, known = news[item_id], model.facts(item)
        facts.append(_gone(known) if row is None else item_facts(item_id, decode_item(row), known))
        items.append(item)
    return facts, items


def _put(array: NDArray[Any], items: list[int], values: NDArray[Any]) -> NDArray[Any]:
    changed = array.copy()
    changed[items] = values
    return changed


def _currency(model: Model) -> str:
    """That of most of the model's prices, by a sample: it is asked at every change of the catalogue."""
    step = max(1, len(model) // CURRENCY_SAMPLE)
    return usual_currency(model.facts(item) for item in range(0, len(model), step))


def _categories(model: Model, facts: list[ItemFacts]) -> NDArray[np.int32]:
    return np.array(find(model.categories, [first_level(entry.categories) or entry.category for entry in facts]), np.int32)


def _groups(goods: Goods, facts: list[ItemFacts]) -> NDArray[np.int32]:
    """Numbers of variant groups; those that the model does not know get numbers behind its own."""
    names = [entry.variant_of for entry in facts]
    found = dict(zip(names, find(goods.variants, names), strict=True))
    new = sorted(name for name, number in found.items() if name and number == UNKNOWN)
    found |= {name: len(goods.variants) + place for place, name in enumerate(new)}
    return np.array([found[name] if name else UNKNOWN for name in names], np.int32)
