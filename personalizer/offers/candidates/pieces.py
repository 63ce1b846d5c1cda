"""What the catalogue holds besides products: promotions, subscriptions, editorial pieces."""

from typing import Final

from personalizer.offers.candidates.sellers import categories_of_interest
from personalizer.offers.insight import Insight
from personalizer.offers.situation import Candidate, Situation

__all__ = ["pieces"]

ELSEWHERE: Final = 0.4  # a piece about another category, or about none


def pieces(known: Insight, situation: Situation) -> list[Candidate]:
    """All there are; those about a category of interest are the stronger ones."""
    if not known.pieces:
        return []
    wanted = frozenset(categories_of_interest(known.model, situation))
    category_of = known.wares.category_of
    return [Candidate(item, 1.0 if int(category_of[item]) in wanted else ELSEWHERE, reason) for item, reason in known.pieces]
