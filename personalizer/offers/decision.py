"""The decision: candidates → eligible → ranked → varied → a small share explored. Pure: chance and time are arguments."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final

import numpy as np
from msgspec import Struct

from personalizer.models.model import ItemFacts
from personalizer.offers.candidates.arrivals import new_arrivals
from personalizer.offers.candidates.left_in_cart import left_in_cart
from personalizer.offers.candidates.next_items import next_items
from personalizer.offers.candidates.pieces import pieces
from personalizer.offers.candidates.replenishment import replenishment
from personalizer.offers.candidates.sellers import best_sellers
from personalizer.offers.candidates.together import bought_together, viewed_together
from personalizer.offers.candidates.viewed import viewed_not_bought
from personalizer.offers.eligibility import Bar, Seats, barred, due_again, unsellable
from personalizer.offers.exploration import Chance, explored
from personalizer.offers.insight import Insight
from personalizer.offers.placements import rules_of
from personalizer.offers.ranking import SUREST, Merged, Ranked, expected_value, greedy, loudness, merge, weighed
from personalizer.offers.situation import Candidate, Question, Reason, Situation, situate
from schema.profile import VisitorProfile

__all__ = ["CHEAP", "Choice", "Chosen", "Dial", "choose", "decide"]

Source = Callable[[Insight, Situation], Sequence[Candidate]]
# All but the model of next items: lists that were made before, and what the visitor did.
CHEAP: Final[Sequence[Source]] = (
    bought_together, left_in_cart, replenishment, viewed_not_bought, best_sellers, new_arrivals, pieces,
)  # fmt: skip
POOL: Final = 12  # things among which is drawn what to try
FRESH: Final = 4  # of them new arrivals, if there are so many
RANKED: Final = 40  # candidates that stand in line at least; for long lists, twice as many as are asked for


class Dial(Struct, frozen=True):
    """A shop's own choice. value: between relevance alone (0) and expected money (1). explore: the explored share."""

    value: float = 0.3
    explore: float = 0.05


class Chosen(Struct, frozen=True, gc=False):
    """One offer of a decision. propensity: how likely it was to stand in this place. tried: drawn, not ranked, there."""

    ranked: Ranked
    facts: ItemFacts
    propensity: float
    tried: bool


class Choice(Struct, frozen=True):
    """What was decided. left_out: items that were candidates, and the rule that barred each. found: what sources said.

    hurried: the model of next items was not asked, for want of time.
    """

    chosen: Sequence[Chosen]
    left_out: Mapping[int, Bar]
    found: Sequence[Candidate]
    situation: Situation
    hurried: bool = False


def decide(
    known: Insight,
    profile: VisitorProfile | None,
    asked: Question,
    dial: Dial,
    rng: Chance,
    now_ms: int,
    is_late: Callable[[], bool] = lambda: False,
) -> Choice:
    """The best `asked.limit` offers for this visitor at this placement.

    is_late: asked before the model of next items is; when it says yes, the decision does without.
    """
    situation = situate(known.model, profile, asked, now_ms)
    found = [candidate for source in CHEAP for candidate in source(known, situation)]
    if hurried := is_late():
        found += viewed_together(known, situation)
    else:
        found += next_items(known, situation)
    return choose(known, situation, found, asked.limit, dial, rng, hurried)


def choose(
    known: Insight, situation: Situation, found: Sequence[Candidate], limit: int, dial: Dial, rng: Chance,
    hurried: bool = False,
) -> Choice:  # fmt: skip
    """From what the sources say to what is shown."""
    rules = rules_of(situation.placement)
    placement = situation.placement
    loud = loudness(known.rates(placement), rules, situation)
    said = weighed(found, loud, lambda p_next: known.curve(placement, p_next))
    merged = merge(found, said)
    left_out = _bars(known, situation, merged, rules.never)
    in_line = [one for item, one in merged.items() if item not in left_out]
    ranked = _ranked(known, in_line, dial.value, max(RANKED, 2 * limit))
    seats = _seats(known, situation, ranked, limit)
    line = greedy(ranked, situation.page_category, seats.fits)
    best = list(islice(line, limit))
    best += seats.fill(limit - len(best))
    pool = _pool(ranked, best, seats) if dial.explore > 0 and len(best) == limit > 1 else []
    shown = [
        Chosen(one, seats.facts(one.item), propensity, tried)
        for one, propensity, tried in explored(best, pool, dial.explore, rng)
    ]
    return Choice(shown, left_out | seats.refused, found, situation, hurried)


def _bars(known: Insight, situation: Situation, merged: Mapping[int, Merged], never: frozenset[Reason]) -> dict[int, Bar]:
    left = situation.cart if situation.left and situation.own and Reason.ABANDONED_CART not in never else ()
    bars = barred(known, situation, due_again(known, situation).union(left))
    gone = unsellable(known, list(merged), situation.placement, situation.now_s)
    return {item: bar for item, bar in bars.items() if item in merged} | gone


def _ranked(known: Insight, merged: Sequence[Merged], dial: float, most: int) -> list[Ranked]:
    """The `most` best with their expected values, best first; equal ones by number: the same question, the same answer."""
    items = np.array([one.item for one in merged], np.int64)
    p = known.responses.factor[items] * (1 - np.array([one.missed for one in merged]))
    p = np.minimum(p, SUREST)
    worth, score = expected_value(p, known.wares.value[items], known.median_value, dial)
    best = np.lexsort((items, -score))[:most]
    rows = zip(
        best.tolist(), p[best].tolist(), worth[best].tolist(), score[best].tolist(),
        known.wares.category_of[items[best]].tolist(), strict=True,
    )  # fmt: skip
    found = []
    for place, likely, value, expected, category in rows:
        one = merged[place]
        found.append(Ranked(one.item, likely, value, expected, category, one.reason, one.because))
    return found


def _seats(known: Insight, situation: Situation, ranked: Sequence[Ranked], limit: int) -> Seats:
    there = [item for item in (situation.page_item, *situation.cart, *situation.bought) if item >= 0]
    left = set(situation.cart) if situation.left else set()
    items = [one.item for one in ranked]
    groups = known.wares.variant_of[np.array(there + items, np.int64)].tolist()
    # What is offered again itself does not bar itself.
    taken = {group for item, group in zip(there, groups, strict=False) if group >= 0 and item not in left}
    again = {groups[len(there) + n] for n, one in enumerate(ranked) if one.reason is Reason.REPLENISHMENT}
    variant_of = dict(zip(items, groups[len(there) :], strict=True))
    return Seats(limit, situation.page_category, taken - again, variant_of, known.wares.facts)


def _pool(ranked: Sequence[Ranked], best: Sequence[Ranked], seats: Seats) -> list[Ranked]:
    """What may be tried: new things first, then what came next."""
    taken = {one.item for one in best}
    rest = [one for one in ranked if one.item not in taken]
    fresh = [one for one in rest if one.reason is Reason.NEW_ARRIVAL][:FRESH]
    pool: list[Ranked] = []
    for one in fresh + [one for one in rest if one.reason is not Reason.NEW_ARRIVAL]:
        if len(pool) == POOL:
            break
        if seats.may_try(one):
            pool.append(one)
    return pool
