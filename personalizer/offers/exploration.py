"""The explored share: now and then something else in a lower place, so that learning sees more than what is shown anyway.

Each of the lower places changes with probability c, independently; what comes there is drawn evenly, without replacement,
from a pool of m things that would have been next. By symmetry of the draws each of them comes to a given place with
probability exactly c / m, and what was there stays with 1 - c. The first place is never explored. Propensities of this
kind make estimates of other rankings unbiased (inverse propensity scores: Horvitz and Thompson 1952, Swaminathan and
Joachims 2015).
"""

from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

__all__ = ["MOST_CHANGED", "Chance", "chance", "explored", "lower_places"]

T = TypeVar("T")
MOST_CHANGED: Final = 0.5  # of a place: more often than that it is not the ranking's any more


class Chance(Protocol):
    """Where chance comes from: a random.Random."""

    def random(self) -> float:
        """Even in [0, 1)."""

    def randrange(self, start: int, /) -> int:
        """Even among 0 … start - 1."""


def lower_places(shown: int, pool: int) -> range:
    """Places, from 0, that may change: the lower half, never the first, and not more than there are things to draw."""
    return range(max(1, shown // 2, shown - pool), shown)


def chance(share: float, shown: int, places: int) -> float:
    """How likely one lower place changes, so that `share` of all that is shown is explored."""
    return min(MOST_CHANGED, share * shown / places) if places else 0.0


def explored(best: Sequence[T], pool: Sequence[T], share: float, rng: Chance) -> list[tuple[T, float, bool]]:
    """What to show, with its propensity and whether it was drawn. share: of all that is shown, in [0, 1]."""
    places = lower_places(len(best), len(pool))
    c = chance(share, len(best), len(places))
    shown = [(one, 1.0, False) for one in best]
    if c <= 0:
        return shown
    left = list(pool)
    for place in places:
        if rng.random() < c:
            drawn = left.pop(rng.randrange(len(left)))
            shown[place] = (drawn, c / len(pool), True)
        else:
            shown[place] = (best[place], 1 - c, False)
    return shown
