"""The decision: candidates → eligible → ranked → varied → a small share explored. Pure: chance and time are arguments."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final

from msgspec import Struct

from personalizer.models.model import UNKNOWN, ItemFacts
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
from personalizer.offers.merging import Merged, merged
from personalizer.offers.placements import rules_of
from personalizer.offers.ranking import Ranked, greedy, loudness
from personalizer.offers.situation import Candidates, Question, Reason, Situation, situate
from schema.profile import VisitorProfile

__all__ = ["CHEAP", "Choice", "Chosen", "Dial", "choose", "decide"]

Source = Callable[[Insight, Situation], Sequence[Candidates]]
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
    found: Sequence[Candidates]
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
    found = [group for source in CHEAP for group in source(known, situation)]
    if hurried := is_late():
        found += viewed_together(known, situation)
    else:
        found += next_items(known, situation)
    return choose(known, situation, found, asked.limit, dial, rng, hurried)


def choose(
    known: Insight, situation: Situation, found: Sequence[Candidates], limit: int, dial: Dial, rng: Chance,
    hurried: bool = False,
) -> Choice:  # fmt: skip
    """From what the sources say to what is shown."""
    placement = situation.placement
    rules = rules_of(placement)
    loud = loudness(known.rates(placement), rules, situation)
    heard = merged(known, found, loud, placement, dial.value, situation.now_s)
    left_out = _bars(known, situation, heard, rules.never)
    most = max(RANKED, 2 * limit)
    line = [one for one in heard.front(most + len(left_out)) if one.item not in left_out][:most]
    seats = Seats(limit, situation.page_category, _groups(known, situation, line), known.facts)
    best = list(islice(greedy(line, situation.page_category, seats.fits), limit))
    best += seats.fill(limit - len(best))
    pool = _pool(line, best, seats) if dial.explore > 0 and len(best) == limit > 1 else []
    shown = [
        Chosen(one, known.facts(one.item), propensity, tried)
        for one, propensity, tried in explored(best, pool, dial.explore, rng)
    ]
    return Choice(shown, left_out | seats.refused, found, situation, hurried)


def _bars(known: Insight, situation: Situation, heard: Merged, never: frozenset[Reason]) -> dict[int, Bar]:
    left = situation.cart if situation.left and Reason.ABANDONED_CART not in never else ()
    bars = barred(known, situation, due_again(known, situation).union(left))
    among = frozenset(heard.items.tolist())
    gone = unsellable(known, heard.items, heard.closed.tolist(), situation.placement)
    return {item: bar for item, bar in bars.items() if item in among} | gone


def _groups(known: Insight, situation: Situation, line: Sequence[Ranked]) -> set[int]:
    """Variant groups that are there already: on the page, in the cart, bought."""
    left = frozenset(situation.cart) if situation.left else frozenset()
    there = [item for item in (situation.page_item, *situation.cart, *situation.bought) if item >= 0 and item not in left]
    # What is offered again itself does not bar itself.
    again = {one.variant for one in line if one.reason is Reason.REPLENISHMENT}
    return {int(known.wares.variant_of[item]) for item in there} - again - {UNKNOWN}


def _pool(line: Sequence[Ranked], best: Sequence[Ranked], seats: Seats) -> list[Ranked]:
    """What may be tried: new things first, then what came next."""
    taken = {one.item for one in best}
    fresh, others = list[Ranked](), list[Ranked]()
    for one in line:
        if one.item not in taken:
            (fresh if one.reason is Reason.NEW_ARRIVAL else others).append(one)
    pool: list[Ranked] = []
    for one in (*fresh[:FRESH], *others):
        if len(pool) == POOL:
            break
        if seats.may_try(one):
            pool.append(one)
    return pool
