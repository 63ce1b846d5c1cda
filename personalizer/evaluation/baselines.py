"""The simple answers that a model must be worth more than. Each is fitted on train alone and ranks like any other.

None claims probabilities. No parameter of theirs was chosen by looking at any test data.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalizer.evaluation.ranker import Ranker
from personalizer.models.behaviour import PURCHASE, VIEW, Behaviour
from personalizer.models.model import UNKNOWN, Ragged
from personalizer.models.next_item import Ranked, Visit
from personalizer.models.similar import neighbours, ragged_top

__all__ = ["BASELINES", "BestSellers", "BoughtTogether", "LastViewed", "SessionKnn", "Together"]

Ints = NDArray[np.int32]
Floats = NDArray[np.floating[Any]]
DAY_S: Final = 86_400


def best(items: Ints, scores: Floats, most: int) -> Ranked:
    """The `most` highest scores above 0, equal ones by item number. items: different ones."""
    order = np.lexsort((items, -scores))[:most]
    return _ranked(items[order[scores[order] > 0]])


def _ranked(items: NDArray[np.integer[Any]]) -> Ranked:
    count = len(items)
    return Ranked(
        items.astype(np.int32),
        np.full(count, np.nan, np.float32),
        np.full(count, UNKNOWN, np.int32),
        np.zeros(count, np.uint8),
    )


def newest_first(items: Ints) -> Ints:
    """The different items of a visit, the last one clicked first."""
    turned = items[::-1]
    _, first = np.unique(turned, return_index=True)
    return turned[np.sort(first)]


class LastViewed:
    """What the visitor looked at last, then what before that."""

    def rank(self, visit: Visit, most: int, now_s: int) -> Ranked:  # noqa: ARG002
        """See Ranker."""
        return _ranked(newest_first(visit.items)[:most])


class BestSellers:
    """The same list for everybody: most purchases, then most clicks. half_life_s: a click of that age counts half."""

    def __init__(self, train: Behaviour, n_items: int, half_life_s: float = np.inf) -> None:
        weights = np.exp2(-(train.times.max(initial=0) - train.times) / half_life_s)
        clicks = np.bincount(train.items, weights, n_items)
        bought = np.bincount(train.items, weights * (train.kinds == PURCHASE), n_items)
        order = np.lexsort((np.arange(n_items), -clicks, -bought))
        self._list = order[clicks[order] > 0].astype(np.int32)

    def rank(self, visit: Visit, most: int, now_s: int) -> Ranked:  # noqa: ARG002
        """See Ranker."""
        return _ranked(self._list[:most])


class Together:
    """Item to item: the cosine of two items over the sessions that have them (Sarwar et al. 2001; Linden et al. 2003).

    A visit's items speak with weights 1, 1/2, 1/3 … from the last one back; an item goes with itself, too.
    """

    def __init__(self, train: Behaviour, n_items: int, neighbours_kept: int = 100) -> None:
        sessions = np.repeat(np.arange(len(train)), np.diff(train.starts))
        cells = np.unique(sessions * n_items + train.items)
        self._similar: Ragged = neighbours(
            (cells // n_items).astype(np.uint64), (cells % n_items).astype(np.int32), np.ones(len(cells), np.float32),
            n_items, shrinkage=0.0, most=neighbours_kept,
        )  # fmt: skip

    def rank(self, visit: Visit, most: int, now_s: int) -> Ranked:  # noqa: ARG002
        """See Ranker."""
        viewed = newest_first(visit.items)
        items, scores = _spoken(self._similar, viewed)
        own = 1 / np.arange(1, len(viewed) + 1)
        return best(*_summed(np.concatenate([viewed, items]), np.concatenate([own, scores])), most)


class BoughtTogether:
    """Who saw this bought that: the cosine of what sessions saw and what they put in the cart or bought. A visit's items
    speak as in Together. Empty lists where train has views only.
    """

    def __init__(self, train: Behaviour, n_items: int, kept: int = 100) -> None:
        sessions = np.repeat(np.arange(len(train)), np.diff(train.starts))
        seen, bought = (
            sparse.csr_matrix((np.ones(rows.sum(), np.float32), (sessions[rows], train.items[rows])), (len(train), n_items))
            for rows in (np.ones(len(train.items), np.bool_), train.kinds != VIEW)
        )
        for matrix in (seen, bought):
            matrix.sum_duplicates()
            matrix.data[:] = 1
        both = (seen.T.tocsr() @ bought).tocoo()
        sizes = np.asarray(seen.sum(axis=0)).ravel()[both.row] * np.asarray(bought.sum(axis=0)).ravel()[both.col]
        self._bought: Ragged = ragged_top(both.row, both.col, both.data / np.sqrt(sizes), n_items, kept)

    def rank(self, visit: Visit, most: int, now_s: int) -> Ranked:  # noqa: ARG002
        """See Ranker."""
        return best(*_spoken(self._bought, newest_first(visit.items)), most)


class SessionKnn:
    """Sessions like this one: cosine of sets of items, 500 nearest of the 1,000 latest that share an item, each of which
    speaks for its items by its similarity (SKNN: Jannach, Ludewig 2017, with session-rec's values).
    """

    def __init__(self, train: Behaviour, n_items: int, nearest: int = 500, latest: int = 1_000) -> None:
        sessions = np.repeat(np.arange(len(train)), np.diff(train.starts))
        cells = np.unique(sessions * n_items + train.items)
        self._items = (cells % n_items).astype(np.int32)
        self._lengths = np.bincount(cells // n_items, minlength=len(train))
        self._starts = np.concatenate(([0], np.cumsum(self._lengths)))
        order = np.argsort(self._items, kind="stable")
        self._sessions = (cells // n_items)[order].astype(np.int32)
        self._item_starts = np.concatenate(([0], np.cumsum(np.bincount(self._items, minlength=n_items))))
        self._nearest, self._latest = nearest, latest

    def rank(self, visit: Visit, most: int, now_s: int) -> Ranked:  # noqa: ARG002
        """See Ranker."""
        viewed = np.unique(visit.items)
        lists = [self._sessions[self._item_starts[item] : self._item_starts[item + 1]] for item in viewed.tolist()]
        if not sum(map(len, lists)):
            return _ranked(viewed[:0])
        # Sessions ascend by their last time, so the highest numbers are the latest.
        sessions, common = np.unique(np.concatenate(lists), return_counts=True)
        sessions, common = sessions[-self._latest :], common[-self._latest :]
        similarity = common / np.sqrt(self._lengths[sessions] * len(viewed))
        near = np.lexsort((-sessions, -similarity))[: self._nearest]
        sessions, similarity = sessions[near], similarity[near]
        lengths = self._lengths[sessions]
        offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        items = self._items[np.repeat(self._starts[sessions], lengths) + offsets]
        return best(*_summed(items, np.repeat(similarity, lengths)), most)


def _spoken(rows: Ragged, viewed: Ints) -> tuple[Ints, Floats]:
    """What the rows of viewed items say, the first with all its weight, the second with half, then a third …"""
    items: list[Ints] = [viewed[:0]]
    scores: list[Floats] = [np.zeros(0)]
    for place, item in enumerate(viewed.tolist(), 1):
        found, said = rows.row(item)
        items.append(found)
        scores.append(said / place)
    return _summed(np.concatenate(items), np.concatenate(scores))


def _summed(items: Ints, scores: Floats) -> tuple[Ints, Floats]:
    """Scores of equal items added up."""
    different, places = np.unique(items, return_inverse=True)
    return different, np.asarray(np.bincount(places, scores), np.float64)


# Name → how it is fitted on train with so many items.
BASELINES: Final[Mapping[str, Callable[[Behaviour, int], Ranker]]] = {
    "last-viewed": lambda _train, _n_items: LastViewed(),
    "best-sellers": BestSellers,
    "recent-best-sellers": lambda train, n_items: BestSellers(train, n_items, half_life_s=DAY_S),
    "together": Together,
    "bought-together": BoughtTogether,
    "session-knn": SessionKnn,
}
