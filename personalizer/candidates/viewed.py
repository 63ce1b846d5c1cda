"""Items that the visitor looked at and did not buy."""

from typing import Final

from personalizer.models.model import Model
from personalizer.situation import Candidate, Reason, Situation

__all__ = ["viewed_not_bought"]

HALF_LIFE_S: Final = 24 * 3600.0


def viewed_not_bought(_model: Model, situation: Situation, most: int) -> list[Candidate]:
    """At most `most` candidates, best first: the more often and the more lately looked at, the higher."""
    found = [
        Candidate(viewed.item, _interest(viewed.views, viewed.age_s), Reason.VIEWED_NOT_BOUGHT)
        for viewed in situation.viewed
        if viewed.item not in situation.bought
    ]
    return sorted(found, key=lambda candidate: (-candidate.score, candidate.item))[:most]


def _interest(views: int, age_s: float) -> float:
    """(1 - 2^-views) · 2^(-age / a day)."""
    return float((1 - 0.5**views) * 0.5 ** (age_s / HALF_LIFE_S))
