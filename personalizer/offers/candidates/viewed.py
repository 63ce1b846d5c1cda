"""Items that the visitor looked at and did not buy."""

from typing import Final

from personalizer.offers.insight import Insight
from personalizer.offers.situation import Candidates, Reason, Situation

__all__ = ["viewed_not_bought"]

HALF_LIFE_S: Final = 3 * 24 * 3600.0
MOST: Final = 15


def viewed_not_bought(_known: Insight, situation: Situation) -> list[Candidates]:
    """(1 - 2^-views) · 2^(-age / three days): the more often and the more lately, the stronger."""
    seen = [viewed for viewed in situation.viewed[:MOST] if viewed.item not in situation.bought]
    strengths = [(1 - 0.5**viewed.views) * 0.5 ** (viewed.age_s / HALF_LIFE_S) for viewed in seen]
    return [Candidates(Reason.VIEWED_NOT_BOUGHT, [viewed.item for viewed in seen], strengths)] if seen else []
