"""What may be offered. Each rule has a name, which `explain` tells, and says whom it bars. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil
from typing import Final, Literal

import numpy as np

from personalizer.models.goods import KINDS
from personalizer.models.model import UNKNOWN, ItemFacts
from personalizer.offers.candidates.replenishment import EARLIEST, rebuy_s
from personalizer.offers.insight import PRODUCT, Insight
from personalizer.offers.placements import rules_of
from personalizer.offers.ranking import Ranked
from personalizer.offers.situation import Reason, Situation

__all__ = ["Bar", "Caps", "Seats", "barred", "due_again", "substitutes", "unsellable"]

DAY_S: Final = 24 * 3600.0
SUBSTITUTE_S: Final = 30 * DAY_S  # so long after a purchase nobody wants another one of the kind
LEAST_ALIKE: Final = 0.03  # similarity of views from which two things are compared with each other
LEAST_ALONG: Final = 0.2  # similarity of purchases from which two things are bought together, whatever else
INSTEAD: Final = 0.5  # people are half as ready as usual to take both, or less
SAME_PRICE: Final = 2.0  # times as much, or as little: still a thing of the same kind
ALIKE_IN_PRICE: Final = 0.45  # of the usual readiness to take both, before visits tell

Bar = Literal[
    "not_for_sale", "on_the_page", "in_the_cart", "bought_before", "instead_of_bought", "variant_of_what_is_there",
    "not_at_this_placement", "variant_shown", "enough_of_category", "enough_of_brand", "enough_of_source",
]  # fmt: skip


def barred(known: Insight, situation: Situation, welcome_back: frozenset[int]) -> dict[int, Bar]:
    """Items that must not be offered, by the rule that says so. welcome_back: what may be in the cart or bought before.

    Of the rules that name things of which every variant is meant; the arrays' own, see unsellable().
    """
    rules: Sequence[tuple[Bar, Iterable[int]]] = (
        ("instead_of_bought", substitutes(known, situation)),
        ("bought_before", (item for item in situation.bought if item not in welcome_back)),
        ("in_the_cart", (item for item in situation.cart if item not in welcome_back)),
        ("on_the_page", (situation.page_item,)),
    )
    return {item: name for name, items in rules for item in items}


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
    phones, not the case.

    Of its category and looked at along with it; and taken along with it at most half as often as usual, as far as visits
    tell (habits.taken_both). Where they do not tell yet, what costs about as much is an alternative, what costs much less
    goes with it. A thing that one buys again has no substitute that would bore.
    """
    model, found = known.model, set[int]()
    taken = dict(situation.bought)
    if rules_of(situation.placement).to_buy:
        taken |= dict.fromkeys(situation.cart, 0.0)
    for item, age_s in taken.items():
        category = int(model.category_of[item])
        if age_s > SUBSTITUTE_S or category == UNKNOWN or rebuy_s(known, item) is not None:
            continue
        begin, end = model.viewed.starts[item], model.viewed.starts[item + 1]
        others = model.viewed.items[begin:end]
        alike = (model.category_of[others] == category) & (model.viewed.scores[begin:end] >= LEAST_ALIKE)
        ratio = known.wares.price[others] / known.wares.price[item]
        readiness = np.where((ratio > 1 / SAME_PRICE) & (ratio < SAME_PRICE), ALIKE_IN_PRICE, 1.0)
        if model.habits is not None:
            readiness = readiness * model.habits.both[begin:end]
        also, both = model.bought.row(item)
        along = frozenset(also[both >= LEAST_ALONG].tolist())
        found.update(other for other in others[alike & (readiness < INSTEAD)].tolist() if other not in along)
    return found


def unsellable(known: Insight, items: Sequence[int], placement: str, now_s: int) -> dict[int, Bar]:
    """Which of these items are sold out, withdrawn or past their date, or kept from this placement: by the catalogue, or
    because what they are (an article, say) has no business there."""
    numbers = np.array(items, np.int64)
    wares, kinds = known.wares, known.wares.kind[numbers]
    sold = wares.sellable[numbers] & (wares.expires_s[numbers] > now_s)
    shown = sold & wares.offerable(placement)[numbers]
    if kinds.any():
        never = [kind for kind, name in enumerate(KINDS) if kind != PRODUCT and Reason(name) in rules_of(placement).never]
        shown &= ~np.isin(kinds, never)
    if shown.all():
        return {}
    return {
        item: "not_at_this_placement" if is_sold else "not_for_sale"
        for item, is_sold, is_shown in zip(items, sold.tolist(), shown.tolist(), strict=True)
        if not is_shown
    }


class Caps:
    """How many of a kind fit into a list of `limit`: a share, at least as many as told."""

    def __init__(self, limit: int) -> None:
        self.of_category = max(2, ceil(0.6 * limit))
        self.of_brand = max(2, ceil(0.6 * limit))
        self.of_source: Mapping[Reason, int] = {
            Reason.VIEWED_NOT_BOUGHT: max(1, int(0.4 * limit)),
            Reason.ABANDONED_CART: max(1, int(0.6 * limit)),
            Reason.NEW_ARRIVAL: max(1, int(0.2 * limit)),
            Reason.PROMOTION: max(1, int(0.2 * limit)),
            Reason.EDITORIAL: max(1, int(0.2 * limit)),
            Reason.SUBSCRIPTION: max(1, int(0.2 * limit)),
        }


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
        variant_of: Mapping[int, int],
        facts: Callable[[int], ItemFacts],
    ) -> None:
        self._caps, self._home, self._read = Caps(limit), home, facts
        self._there, self._shown, self._variant_of = frozenset(groups), set[int](), variant_of
        self._categories: dict[int, int] = {}
        self._brands: dict[str, int] = {}
        self._sources: dict[Reason, int] = {}
        self.refused: dict[int, Bar] = {}
        self.waiting: list[Ranked] = []
        self._told: dict[int, ItemFacts] = {}

    def facts(self, item: int) -> ItemFacts:
        """The newest facts, read once."""
        found = self._told.get(item)
        if found is None:
            found = self._told[item] = self._read(item)
        return found

    def fits(self, ranked: Ranked) -> bool:
        """True when it may sit down; then it counts. What is refused is remembered with the rule."""
        facts = self.facts(ranked.item)
        bar = self._never(ranked) or self._too_many(ranked, facts)
        if bar is None:
            self._sit(ranked, facts)
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
                self._sit(ranked, self.facts(ranked.item))
                del self.refused[ranked.item]
                found.append(ranked)
        return found

    def may_try(self, ranked: Ranked) -> bool:
        """True when it could be shown in another's place; that a list has enough of its kind does not bar one try."""
        if self._never(ranked) is not None:
            return False
        self._shown.add(self._variant_of.get(ranked.item, UNKNOWN))
        return True

    def _never(self, ranked: Ranked) -> Bar | None:
        group = self._variant_of.get(ranked.item, UNKNOWN)
        if group >= 0 and group in self._there:
            return "variant_of_what_is_there"
        if group >= 0 and group in self._shown:
            return "variant_shown"
        return None

    def _too_many(self, ranked: Ranked, facts: ItemFacts) -> Bar | None:
        if self._sources.get(ranked.reason, 0) >= self._caps.of_source.get(ranked.reason, 1000):
            return "enough_of_source"
        category = ranked.category
        if category not in (self._home, UNKNOWN) and self._categories.get(category, 0) >= self._caps.of_category:
            return "enough_of_category"
        if facts.brand and self._brands.get(facts.brand, 0) >= self._caps.of_brand:
            return "enough_of_brand"
        return None

    def _sit(self, ranked: Ranked, facts: ItemFacts) -> None:
        group = self._variant_of.get(ranked.item, UNKNOWN)
        if group >= 0:
            self._shown.add(group)
        self._sources[ranked.reason] = self._sources.get(ranked.reason, 0) + 1
        self._categories[ranked.category] = self._categories.get(ranked.category, 0) + 1
        if facts.brand:
            self._brands[facts.brand] = self._brands.get(facts.brand, 0) + 1
