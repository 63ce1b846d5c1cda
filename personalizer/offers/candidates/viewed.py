"""Items that the visitor looked at and did not buy."""

from typing import Final

from personalizer.offers.insight import Insight
from personalizer.offers.situation import Candidate, Reason, Situation

__all__ = ["viewed_not_bought"]

HALF_LIFE_S: Final = 3 * 24 * 3600.0
MOST: Final = 15


def viewed_not_bought(_known: Insight, situation: Situation) -> list[Candidate]:
    """The more often and the more lately looked at, the stronger. Nothing to somebody who may not be this visitor."""
    if not situation.own:
        return []
    return [
        Candidate(viewed.item, _interest(viewed.views, viewed.age_s), Reason.VIEWED_NOT_BOUGHT)
        for viewed in situation.viewed[:MOST]
        if viewed.item not in situation.bought
    ]


def _interest(views: int, age_s: float) -> float:
    """(1 - 2^-views) · 2^(-age / three days)."""
    return float((1 - 0.5**views) * 0.5 ** (age_s / HALF_LIFE_S))
