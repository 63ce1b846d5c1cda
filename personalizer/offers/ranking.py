"""Ranking by expected value: how likely a response is, times what it is worth; then variety. Pure.

P(response) of an item adds up over the sources that name it, as independent reasons do (noisy or, Pearl 1988, ch. 4.3):

    p = factor(item) · (1 - Π (1 - rate · strength))        over its sources; rate by placement, source and purpose

    expected value = p · (value / median value)^dial          value: margin, else price

dial 0 is relevance alone, 1 is expected money; between them the weighted geometric mean of both. Variety: the greedy choice
of the item with the highest expected value · (1 - α)^n, n of whose category are chosen already; that is the greedy that
α-nDCG (Clarke et al., SIGIR 2008) is made for, and because the sum it raises is submodular it comes within 1 - 1/e of the
best list there is (Nemhauser et al. 1978).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heapreplace
from typing import Final

from msgspec import Struct

from personalizer.models.model import UNKNOWN
from personalizer.offers.placements import BUY, INFORM, Rules
from personalizer.offers.situation import Candidates, Reason, Situation

__all__ = [
    "MOST_WORTH", "RATES", "SUREST", "TYPICAL", "Loudness", "Ranked", "greedy", "heard", "loudness",
]  # fmt: skip

# What one source's full certainty is worth.
Loudness = Mapping[Reason, float]
# How much likelier a response is to what is next with these probabilities.
Curve = Callable[[Sequence[float]], Sequence[float]]

# P(response | shown first) to what a source is entirely sure of, where a shop's own responses do not say better yet.
# Priors: strips of shops are clicked in 1 to 5 of 100 cases, best sellers at the lower end of that, complements of what is
# in the cart above it. (Of the model of next items: to what is next with feedback.responses.TYPICAL_P.)
RATES: Final[Mapping[Reason, float]] = {
    Reason.BOUGHT_TOGETHER: 0.30,
    Reason.VIEWED_TOGETHER: 0.20,
    Reason.REPLENISHMENT: 0.15,
    Reason.ABANDONED_CART: 0.25,
    Reason.VIEWED_NOT_BOUGHT: 0.06,
    Reason.CATEGORY_BEST_SELLER: 0.02,
    Reason.NEXT_ITEM: 0.02,
    Reason.PROMOTION: 0.02,
    Reason.NEW_ARRIVAL: 0.012,
    Reason.BEST_SELLER: 0.01,
    Reason.EDITORIAL: 0.01,
    Reason.SUBSCRIPTION: 0.01,
}
# How sure a source is in the mean of what it shows: a learned rate of its offers, over this, is what it is worth when it is
# entirely sure.
TYPICAL: Final[Mapping[Reason, float]] = {
    Reason.BOUGHT_TOGETHER: 0.2,
    Reason.VIEWED_TOGETHER: 0.2,
    Reason.REPLENISHMENT: 0.7,
    Reason.ABANDONED_CART: 0.7,
    Reason.VIEWED_NOT_BOUGHT: 0.5,
    Reason.CATEGORY_BEST_SELLER: 0.8,
    Reason.NEXT_ITEM: 1.0,
    Reason.PROMOTION: 0.7,
    Reason.NEW_ARRIVAL: 0.6,
    Reason.BEST_SELLER: 0.8,
    Reason.EDITORIAL: 0.7,
    Reason.SUBSCRIPTION: 0.7,
}
SUREST: Final = 0.95
ALPHA: Final = 0.15
TO_BUY: Final = (0.0, 0.0, 1.0)
# In typical values, up and down: a thing worth twenty times the typical one is not shown twenty times as gladly again. What
# nobody said a value of (nan) counts as typical, and so does what is worth nothing, such as an article.
MOST_WORTH: Final = 20.0


class Ranked(Struct, frozen=True, gc=False):
    """A candidate with its expected value. variant: the group of which one is shown, UNKNOWN where in none."""

    item: int
    p: float
    worth: float
    score: float
    category: int
    reason: Reason
    because: int
    variant: int = UNKNOWN


def loudness(rates: Mapping[Reason, float], rules: Rules, situation: Situation) -> dict[Reason, float]:
    """What one source's full certainty is worth here and now: its rate, by the placement and by what the visit is for.

    The factors of the purposes are weighed by how likely each purpose is; at the till all are there to buy.
    """
    inform, browse, buy = TO_BUY if rules.to_buy else situation.purposes
    return {
        reason: 0.0
        if reason in rules.never
        else rate * (inform * INFORM.get(reason, 1.0) + browse + buy * BUY.get(reason, 1.0))
        for reason, rate in rates.items()
    }


def heard(group: Candidates, loud: Loudness, curve: Curve) -> list[float]:
    """P(response) to each of these candidates by their source alone."""
    rate = loud[group.reason]
    heights = curve(group.strengths) if group.reason is Reason.NEXT_ITEM else group.strengths
    return [rate * height for height in heights]


def greedy(found: Sequence[Ranked], home: int, fits: Callable[[Ranked], bool]) -> Iterator[Ranked]:
    """One after the other, the best of what is left. fits: asked once of each when its turn comes.

    home: the category of the page, whose items do not tire by their number: there they are what was asked for.
    Lazily (Minoux 1978): values only fall, so what stands on top with its value of now is the best.
    """
    chosen: dict[int, int] = {}
    heap = [(-ranked.score, place, 0) for place, ranked in enumerate(found)]
    heapify(heap)
    while heap:
        _, place, seen = heap[0]
        ranked = found[place]
        category = ranked.category
        count = 0 if category in (home, UNKNOWN) else chosen.get(category, 0)
        if count != seen:
            heapreplace(heap, (-ranked.score * (1 - ALPHA) ** count, place, count))
            continue
        heappop(heap)
        if fits(ranked):
            chosen[category] = chosen.get(category, 0) + 1
            yield ranked
