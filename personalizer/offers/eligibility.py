"""What may be offered. Each rule has a name, which `explain` tells, and says whom it bars. Pure."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import ceil
from typing import Final, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from personalizer.catalogue.view import CatalogueView
from personalizer.models.goods import KINDS, PRODUCT
from personalizer.models.model import UNKNOWN, ItemFacts
from personalizer.offers.candidates.replenishment import EARLIEST, rebuy_s
from personalizer.offers.insight import Insight
from personalizer.offers.placements import rules_of
from personalizer.offers.ranking import Ranked
from personalizer.offers.situation import Reason, Situation

__all__ = ["Bar", "Caps", "Seats", "barred", "caps_of", "due_again", "substitutes", "unsellable"]

DAY_S: Final = 24 * 3600.0
SUBSTITUTE_S: Final = 30 * DAY_S  # so long after a purchase nobody wants another one of the kind
LEAST_ALIKE: Final = 0.03  # similarity of views from which two things are compared with each other
LEAST_ALONG: Final = 0.2  # similarity of purchases from which two things are bought together, whatever else
INSTEAD: Final = 0.5  # people are half as ready as usual to take both, or less
SAME_PRICE: Final = 2.0  # times as much, or as little: still a thing of the same kind
ALIKE_IN_PRICE: Final = 0.45  # of the usual readiness to take both, before visits tell

Bar = Literal[
    "not_for_sale", "on_the_page", "in_the_cart", "bought_before", "instead_of_bought", "seen_in_vain",
    "variant_of_what_is_there", "not_at_this_placement", "variant_shown",
    "enough_of_category", "enough_of_brand", "enough_of_source",
]  # fmt: skip


def barred(known: Insight, situation: Situation, welcome_back: frozenset[int]) -> dict[int, Bar]:
    """Items that must not be offered, by the rule that says so. welcome_back: what may be in the cart or bought before.

    Of the rules that name things of which every variant is meant; the arrays' own, see unsellable().
    """
    found: dict[int, Bar] = dict.fromkeys(situation.ignored, "seen_in_vain")
    found |= dict.fromkeys(substitutes(known, situation), "instead_of_bought")
    for item in situation.bought:
        if item not in welcome_back:
            found[item] = "bought_before"
    for item in situation.cart:
        if item not in welcome_back:
            found[item] = "in_the_cart"
    found[situation.page_item] = "on_the_page"
    return found


def due_again(known: Insight, situation: Situation) -> frozenset[int]:
    """What was bought before and may be offered again: it is used up by now."""
    found = []
    for item, age_s in situation.bought.items():
        interval_s = rebuy_s(known, item)
        if interval_s is not None and age_s >= EARLIEST * interval_s:
            found.append(item)
    return frozenset(found)


def substitutes(known: Insight, situation: Situation) -> set[int]:
    """What people take instead of something just bought, or, at the till, of something in the cart: after a phone the other
    phones, not the case. A thing that one buys again has no substitute that would bore.
    """
    taken = [item for item, age_s in situation.bought.items() if age_s <= SUBSTITUTE_S]
    if rules_of(situation.placement).to_buy:
        taken += situation.cart
    found = set[int]()
    for item in taken:
        instead = known.substitutes.get(item)
        found |= known.substitutes.keep(item, _instead_of(known, item)) if instead is None else instead
    return found


def _instead_of(known: Insight, item: int) -> frozenset[int]:
    """Of the item's category and looked at along with it; and taken along with it at most half as often as usual, as far as
    visits tell (habits.taken_both). Where they do not tell yet, what costs about as much is an alternative, what costs much
    less goes with it.
    """
    model, price = known.model, known.wares.price
    category = model.category_of[item]
    begin, end = model.viewed.starts[item], model.viewed.starts[item + 1]
    if category == UNKNOWN or begin == end or rebuy_s(known, item) is not None:
        return frozenset()
    others = model.viewed.items[begin:end]
    alike = (model.category_of[others] == category) & (model.viewed.scores[begin:end] >= LEAST_ALIKE)
    # As bounds and not as a ratio: there are things that cost nothing.
    same_price = (price[others] * SAME_PRICE > price[item]) & (price[others] < SAME_PRICE * price[item])
    readiness = np.where(same_price, ALIKE_IN_PRICE, 1.0)
    if model.habits is not None:
        readiness = readiness * model.habits.both[begin:end]
    also, both = model.bought.row(item)
    along = frozenset(also[both >= LEAST_ALONG].tolist())
    return frozenset(others[alike & (readiness < INSTEAD)].tolist()) - along


def unsellable(known: Insight, items: NDArray[np.int64], closed: Sequence[int], placement: str) -> dict[int, Bar]:
    """Which of these items may not be offered: `closed`, as they are sold out, withdrawn or past their date; and those kept
    from this placement, by the catalogue or because what they are (an article, say) has no business there."""
    wares = known.wares
    found: dict[int, Bar] = dict.fromkeys(closed, "not_for_sale")
    if wares.plain:
        return found
    never = rules_of(placement).never
    for item in _special(wares, items):
        if item not in found and (_is_silent(wares, item, never) or not wares.allows(item, placement)):
            found[item] = "not_at_this_placement"
    return found


def _special(wares: CatalogueView, items: NDArray[np.int64]) -> list[int]:
    """Those that are no product, or of which the catalogue says where they may be shown."""
    pieces: list[int] = items[wares.kind[items] != PRODUCT].tolist()
    return pieces + [item for item in items.tolist() if item in wares.rules]


def _is_silent(wares: CatalogueView, item: int, never: frozenset[Reason]) -> bool:
    kind = int(wares.kind[item])
    return kind != PRODUCT and Reason(KINDS[kind]) in never


class Caps(Struct, frozen=True):
    """How many of a kind fit into a list."""

    of_category: int
    of_brand: int
    of_source: Mapping[Reason, int]


@cache
def caps_of(limit: int) -> Caps:
    """The caps of a list of `limit`: a share of it, at least as many as told."""
    few = max(1, int(0.2 * limit))
    of_source = dict.fromkeys((Reason.NEW_ARRIVAL, Reason.PROMOTION, Reason.EDITORIAL, Reason.SUBSCRIPTION), few)
    of_source[Reason.VIEWED_NOT_BOUGHT] = max(1, int(0.4 * limit))
    of_source[Reason.ABANDONED_CART] = max(1, int(0.6 * limit))
    many = max(2, ceil(0.6 * limit))
    return Caps(many, many, of_source)


class Seats:
    """The places of one list: who may still sit down. Asked of each candidate when its turn comes, best first.

    facts: the newest facts of an item. groups: variant groups that are there already. home: the page's category, of which
    there is never enough. Whoever is one too many of a kind waits in `waiting`, in case nobody better comes.
    """

    def __init__(
        self,
        limit: int,
        home: int,
        groups: set[int],
        facts: Callable[[int], ItemFacts],
    ) -> None:
        self._caps, self._home, self._facts = caps_of(limit), home, facts
        self._there, self._shown = groups, set[int]()
        self._categories: dict[int, int] = {}
        self._brands: dict[str, int] = {}
        self._sources: dict[Reason, int] = {}
        self.refused: dict[int, Bar] = {}
        self.waiting: list[Ranked] = []

    def fits(self, ranked: Ranked) -> bool:
        """True when it may sit down; then it counts. What is refused is remembered with the rule."""
        brand = self._facts(ranked.item).brand
        bar = self._never(ranked) or self._too_many(ranked, brand)
        if bar is None:
            self._sit(ranked, brand)
            return True
        self.refused[ranked.item] = bar
        if bar.startswith("enough"):
            self.waiting.append(ranked)
        return False

    def fill(self, room: int) -> "list[Ranked]":
        """Those that waited and may sit down after all, now that there is room for so many, in their order."""
        found: list[Ranked] = []
        for ranked in self.waiting:
            if len(found) >= room:
                break
            if self._never(ranked) is None:
                self._sit(ranked, self._facts(ranked.item).brand)
                del self.refused[ranked.item]
                found.append(ranked)
        return found

    def may_try(self, ranked: Ranked) -> bool:
        """True when it could be shown in another's place; that a list has enough of its kind does not bar one try."""
        if self._never(ranked) is not None:
            return False
        self._shown.add(ranked.variant)
        return True

    def _never(self, ranked: Ranked) -> Bar | None:
        group = ranked.variant
        if group >= 0 and group in self._there:
            return "variant_of_what_is_there"
        if group >= 0 and group in self._shown:
            return "variant_shown"
        return None

    def _too_many(self, ranked: Ranked, brand: str) -> Bar | None:
        if self._sources.get(ranked.reason, 0) >= self._caps.of_source.get(ranked.reason, 1000):
            return "enough_of_source"
        category = ranked.category
        if category not in (self._home, UNKNOWN) and self._categories.get(category, 0) >= self._caps.of_category:
            return "enough_of_category"
        if brand and self._brands.get(brand, 0) >= self._caps.of_brand:
            return "enough_of_brand"
        return None

    def _sit(self, ranked: Ranked, brand: str) -> None:
        group = ranked.variant
        if group >= 0:
            self._shown.add(group)
        self._sources[ranked.reason] = self._sources.get(ranked.reason, 0) + 1
        self._categories[ranked.category] = self._categories.get(ranked.category, 0) + 1
        if brand:
            self._brands[brand] = self._brands.get(brand, 0) + 1
