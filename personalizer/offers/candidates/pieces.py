"""What the catalogue holds besides products: promotions, subscriptions, editorial pieces."""

from typing import Final

from personalizer.offers.insight import Insight
from personalizer.offers.situation import Candidates, Situation

__all__ = ["pieces"]

ELSEWHERE: Final = 0.4  # a piece about another category, or about none


def pieces(known: Insight, situation: Situation) -> list[Candidates]:
    """All there are; those about a category of interest are the stronger ones."""
    wanted = situation.interests
    return [
        Candidates(reason, items, [1.0 if category in wanted else ELSEWHERE for category in categories])
        for reason, (items, categories) in known.pieces.items()
    ]
