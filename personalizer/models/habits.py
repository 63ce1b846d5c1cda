"""What people do with an item over and over: how often it is looked at, and after how long it is bought again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Habits", "Repeat", "learn_habits"]

SURE: Final = 5.0  # repeats of an item that weigh as much as what its category says
FEWEST: Final = 3  # repeats without which a category says nothing
# Less than this share of an item's (or a category's) buyers come back for it: those who do replace something broken.
LEAST_SHARE: Final = 0.1


@dataclass(frozen=True)
class Habits:
    """rebuy_s: seconds after which an item is bought again, nan where it is not. views: decayed. Both of shape (items,)."""

    rebuy_s: NDArray[np.float32]
    views: NDArray[np.float32]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        return {"rebuy_s": self.rebuy_s, "views": self.views}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str) -> "Habits | None":
        """Of what arrays() gave, each name behind `prefix`; None when there are none."""
        if f"{prefix}rebuy_s" not in arrays:
            return None
        return cls(arrays[f"{prefix}rebuy_s"], arrays[f"{prefix}views"])

    def sound(self, items: int) -> bool:
        return self.rebuy_s.shape == self.views.shape == (items,)


@dataclass(frozen=True)
class Repeat:
    """What was counted of one item. buyers: people who bought it; repeats: purchases after their first, `gap_s` the median
    seconds since the one before."""

    item: int
    buyers: int
    repeats: int
    gap_s: float


def learn_habits(
    repeats: Sequence[Repeat], category_of: NDArray[np.int32], consumable: NDArray[np.int8], views: NDArray[np.float32]
) -> Habits:
    """An item's interval is the mean of its own and its category's, in logarithms, weighed by repeats: an empirical Bayes
    estimate (Efron and Morris 1975) with SURE repeats' worth of prior. consumable: 1 yes, 0 never, -1 not said.

    Of a category the median over its items is taken, each weighed by its repeats. An item without enough repeats of its
    own follows its category if the catalogue calls it consumable; one that the catalogue calls lasting has no interval.
    """
    rebuy = np.full(len(category_of), np.nan, np.float32)
    by_category: dict[int, list[Repeat]] = {}
    for repeat in repeats:
        by_category.setdefault(int(category_of[repeat.item]), []).append(repeat)
    typical = {category: _typical(found) for category, found in by_category.items() if category >= 0}
    for repeat in repeats:
        if _is_habit(repeat.repeats, repeat.buyers) or consumable[repeat.item] == 1:
            rebuy[repeat.item] = _interval(repeat, typical.get(int(category_of[repeat.item])))
    for item in np.flatnonzero((consumable == 1) & np.isnan(rebuy)):
        rebuy[item] = typical.get(int(category_of[item])) or np.nan
    rebuy[consumable == 0] = np.nan
    return Habits(rebuy, views.astype(np.float32))


def _is_habit(repeats: int, buyers: int) -> bool:
    return repeats >= FEWEST and repeats >= LEAST_SHARE * buyers


def _typical(found: Sequence[Repeat]) -> float | None:
    """Weighted median of the gaps, None when there are too few."""
    again = sorted((repeat.gap_s, repeat.repeats) for repeat in found if repeat.repeats)
    half = sum(count for _, count in again) / 2
    if half * 2 < FEWEST:
        return None
    for gap_s, count in again:
        half -= count
        if half <= 0:
            return gap_s
    return None


def _interval(repeat: Repeat, typical: float | None) -> float:
    if not repeat.repeats:
        return typical or np.nan
    if typical is None:
        return repeat.gap_s
    own = repeat.repeats / (repeat.repeats + SURE)
    return float(np.exp(own * np.log(repeat.gap_s) + (1 - own) * np.log(typical)))
