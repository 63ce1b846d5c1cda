"""What an earlier visit left in the cart."""

from typing import Final

from personalizer.offers.insight import Insight
from personalizer.offers.situation import Candidates, Reason, Situation

__all__ = ["left_in_cart"]

HALF_LIFE_S: Final = 5 * 24 * 3600.0
STEP: Final = 0.9  # each line further back counts that much of the one after it
MOST: Final = 10


def left_in_cart(_known: Insight, situation: Situation) -> list[Candidates]:
    """The lines, newest first: 0.9^place · 2^(-age / five days)."""
    if not situation.left:
        return []
    recency = 0.5 ** (max(0.0, situation.cart_age_s) / HALF_LIFE_S)
    lines = situation.cart[::-1][:MOST]
    return [Candidates(Reason.ABANDONED_CART, lines, [recency * STEP**place for place in range(len(lines))])]
