"""What people do with items: what is bought again and after how long, what is taken together and what instead of another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["Habits", "Repeat", "Taken", "learn_rebuy", "taken_both"]

SURE: Final = 5.0  # repeats of an item that weigh as much as what its category says
FEWEST: Final = 3  # repeats without which a category says nothing
# Less than this share of an item's (or a category's) buyers come back for it: those who do replace something broken.
LEAST_SHARE: Final = 0.1
BOTH_SURE: Final = 4.0  # visits that weigh as much as what is known of all pairs
# Before there are visits enough: of five that take one of two things that they saw, one takes the other as well.
USUAL: Final = 0.2
USUAL_VISITS: Final = 20.0


@dataclass(frozen=True)
class Habits:
    """rebuy_s: seconds after which an item is bought again, nan where it is not. views: decayed. Both of shape (items,).

    both: for each pair of the model's `viewed`, how much readier than usual people are to take both, see taken_both().
    """

    rebuy_s: NDArray[np.float32]
    views: NDArray[np.float32]
    both: NDArray[np.float32]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        return {"rebuy_s": self.rebuy_s, "views": self.views, "both": self.both}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str) -> "Habits | None":
        """Of what arrays() gave, each name behind `prefix`; None when there are none."""
        if f"{prefix}rebuy_s" not in arrays:
            return None
        return cls(*(arrays[f"{prefix}{name}"] for name in ("rebuy_s", "views", "both")))

    def sound(self, items: int, pairs: int) -> bool:
        """True when it fits a model of so many items and pairs of items viewed together."""
        return self.rebuy_s.shape == self.views.shape == (items,) and self.both.shape == (pairs,)


@dataclass(frozen=True)
class Repeat:
    """What was counted of one item. buyers: people who bought it; repeats: purchases after their first, `gap_s` the median
    seconds since the one before."""

    item: int
    buyers: int
    repeats: int
    gap_s: float


def learn_rebuy(
    repeats: Sequence[Repeat], category_of: NDArray[np.int32], consumable: NDArray[np.int8]
) -> NDArray[np.float32]:
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
    return rebuy


@dataclass(frozen=True)
class Taken:
    """What visits saw and took, all of shape (n,); each visit and item once. taken: put in the cart or bought."""

    visits: NDArray[np.uint64]
    items: NDArray[np.int32]
    taken: NDArray[np.bool_]


def taken_both(seen: Taken, starts: NDArray[np.int64], others: NDArray[np.int32]) -> NDArray[np.float32]:
    """For each pair of item and other: P(both taken | both seen, one taken at least), over the mean of all such pairs.

    Far below 1 they are taken instead of each other, as substitutes are, at 1 nothing is known, above they complete each
    other. A pair keeps near the mean until there are visits that say otherwise: (both + k · mean) / (visits + k), k = 4, the
    posterior mean under a Beta prior. (Substitutes from what is viewed together and not bought together: McAuley, Pandey,
    Leskovec, KDD 2015.) starts, others: row i holds the others of item i, as in Ragged.
    """
    _, rows = np.unique(seen.visits, return_inverse=True)
    shape = int(rows.max(initial=-1)) + 1, len(starts) - 1
    saw = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, seen.items)), shape=shape)
    took = sparse.csr_matrix((seen.taken.astype(np.float32), (rows, seen.items)), shape=shape)
    took.eliminate_zeros()
    first = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    by_first, by_second = (took.T @ saw).tocsr(), (took.T @ took).tocsr()
    both = _at(by_second, first, others)
    visits = _at(by_first, first, others) + _at(by_first, others, first) - both
    mean = (both.sum() + USUAL_VISITS * USUAL) / (visits.sum() + USUAL_VISITS)
    return np.asarray((both + BOTH_SURE * mean) / (visits + BOTH_SURE) / mean, np.float32)


def _at(matrix: Any, rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.float64]:
    """The matrix's numbers at these places; of shape (n,)."""
    if not len(rows):
        return np.zeros(0)
    return np.asarray(matrix[rows, columns], np.float64).ravel()


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
