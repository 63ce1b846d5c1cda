"""New things that had no chance yet: without a place to begin from, nothing new would ever be found."""

from typing import Final

from personalizer.models.model import UNKNOWN
from personalizer.offers.candidates.sellers import categories_of_interest
from personalizer.offers.insight import ARRIVAL_S, Insight
from personalizer.offers.situation import Candidate, Reason, Situation

__all__ = ["new_arrivals"]

ELSEWHERE: Final = 0.3  # a new thing of a category that nobody here asked for


def new_arrivals(known: Insight, situation: Situation) -> list[Candidate]:
    """Those of the categories of interest, and some of the shop; the newer, the stronger."""
    found: dict[int, float] = {}
    for category in categories_of_interest(known.model, situation):
        for item in known.arrivals.get(category, ()):
            found.setdefault(item, 1.0)
    for item in known.arrivals.get(UNKNOWN, ()):
        found.setdefault(item, ELSEWHERE)
    first_seen_s = known.wares.first_seen_s
    return [
        Candidate(item, weight * (1 - 0.5 * min(1.0, age_s / ARRIVAL_S)), Reason.NEW_ARRIVAL)
        for item, weight in found.items()
        if (age_s := max(0, situation.now_s - int(first_seen_s[item]))) <= ARRIVAL_S
    ]
