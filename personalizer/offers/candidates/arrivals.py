"""New things that had no chance yet: without a place to begin from, nothing new would ever be found."""

from collections.abc import Iterable
from typing import Final

from personalizer.models.model import UNKNOWN
from personalizer.offers.insight import ARRIVAL_S, Insight
from personalizer.offers.situation import Candidates, Reason, Situation

__all__ = ["new_arrivals"]

ELSEWHERE: Final = 0.3  # a new thing of a category that nobody here asked for


def new_arrivals(known: Insight, situation: Situation) -> list[Candidates]:
    """Those of the categories of interest, and some of the shop; the newer, the stronger."""
    if not known.arrivals:
        return []
    items, strengths = list[int](), list[float]()
    for category in situation.interests:
        those, how_new = _of_row(known, category, situation.now_s)
        items += those
        strengths += how_new
    met = frozenset(items)
    for item, new in zip(*_of_row(known, UNKNOWN, situation.now_s), strict=True):
        if item not in met:
            items.append(item)
            strengths.append(ELSEWHERE * new)
    return [Candidates(Reason.NEW_ARRIVAL, items, strengths)] if items else []


def _of_row(known: Insight, category: int, now_s: int) -> tuple[list[int], list[float]]:
    """Items of a category, or of the shop (UNKNOWN), and how new they are: from 1 down to 0.5. Made once a minute."""
    minute = now_s // 60
    key = category, minute
    return known.newness.get(key) or known.newness.keep(key, _made(known.arrivals.get(category, ()), 60 * minute))


def _made(row: Iterable[tuple[int, int]], now_s: int) -> tuple[list[int], list[float]]:
    ages = {item: max(0, now_s - first_seen_s) for item, first_seen_s in row}
    still = {item: 1 - 0.5 * age_s / ARRIVAL_S for item, age_s in ages.items() if age_s <= ARRIVAL_S}
    return list(still), list(still.values())
