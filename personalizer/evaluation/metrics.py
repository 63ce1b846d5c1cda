"""Metrics of ranked lists, each a few lines. Pure.

ranks, of shape (n,): the place at which each list had what came next, from 1; 0 where it did not have it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Reliability",
    "calibration_error",
    "coverage",
    "difference",
    "hit_rate",
    "hits",
    "mean_popularity",
    "ndcg",
    "precision",
    "recall",
    "reciprocal",
    "reciprocal_rank",
    "reliability",
    "standard_error",
]

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]
NAN = float("nan")


def hits(ranks: Ints, most: int) -> Floats:
    """1 where what came next is among the first `most`, else 0; shape (n,)."""
    return ((ranks > 0) & (ranks <= most)).astype(np.float64)


def reciprocal(ranks: Ints, most: int) -> Floats:
    """1/rank where what came next is among the first `most`, else 0; shape (n,)."""
    return np.divide(1.0, ranks, out=np.zeros(len(ranks)), where=hits(ranks, most) > 0)


def hit_rate(ranks: Ints, most: int) -> float:
    """HR@most: the share of lists that have what came next. (Hidasi et al. 2016, there as recall@20.) NaN for no lists."""
    return _mean(hits(ranks, most))


def reciprocal_rank(ranks: Ints, most: int) -> float:
    """MRR@most: the mean of 1/rank, 0 for a miss (Voorhees 1999, cut at `most` as in Hidasi et al. 2016)."""
    return _mean(reciprocal(ranks, most))


def ndcg(ranks: Ints, most: int) -> float:
    """NDCG@most with one right answer: 1/log2(1 + rank), 0 for a miss; the ideal is 1 (Järvelin, Kekäläinen 2002)."""
    return _mean(np.divide(1.0, np.log2(1.0 + ranks), out=np.zeros(len(ranks)), where=hits(ranks, most) > 0))


def precision(found: Ints, most: int) -> float:
    """P@most on all that remains of the session: different items found among the first `most`, by `most`.

    As in session-rec (Ludewig, Jannach 2018): a list that is shorter than `most` is not excused.
    """
    return _mean(found / most)


def recall(found: Ints, remaining: Ints) -> float:
    """R@most on all that remains: different items found among the first `most`, by different items that remain (≥ 1)."""
    return _mean(found / remaining)


def coverage(shown: Ints) -> float:
    """The share of all items that were in any list (aggregate diversity: Adomavicius, Kwon 2012). shown: lists by item."""
    return float(np.count_nonzero(shown) / len(shown)) if len(shown) else NAN


def mean_popularity(per_list: Floats) -> float:
    """Popularity bias: over lists, the mean of their items' mean popularity; empty lists, NaN, are left out.

    An item's popularity is its number of clicks in train by that of the most clicked item (Ludewig, Jannach 2018, 4.3).
    """
    return _mean(per_list[~np.isnan(per_list)])


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: bins in rising order, each with its mean forecast, the share that came true, and its size."""

    forecast: Floats
    came_true: Floats
    size: Ints


def reliability(forecasts: Floats, outcomes: Floats, bins: int = 15) -> Reliability:
    """Bins of (nearly) equal size: equal widths would leave most of them empty (Nixon et al. 2019). NaN are left out."""
    known = ~np.isnan(forecasts)
    order = np.argsort(forecasts[known], kind="stable")
    parts = [part for part in np.array_split(order, min(bins, max(1, len(order)))) if len(part)]
    forecasts, outcomes = forecasts[known].astype(np.float64), outcomes[known].astype(np.float64)
    return Reliability(
        np.array([forecasts[part].mean() for part in parts]),
        np.array([outcomes[part].mean() for part in parts]),
        np.array([len(part) for part in parts], np.int64),
    )


def calibration_error(found: Reliability) -> float:
    """ECE: |forecast - what came true| over bins, weighted by their size (Naeini et al. 2015, Guo et al. 2017)."""
    if not found.size.sum():
        return NAN
    return float(np.average(np.abs(found.forecast - found.came_true), weights=found.size))


def standard_error(values: Floats, sessions: Ints) -> float:
    """Of the mean of `values`, which come in sessions: those of one visitor's visit are no independent trials.

    The linearized variance of a ratio of cluster totals, S/(S-1) Σ (t_s - mean n_s)² / n² (Cochran 1977, 6.3). NaN for
    fewer than two sessions.
    """
    totals, sizes = _by_session(values, sessions)
    count = len(totals)
    if count < 2:
        return NAN
    rest = totals - values.mean() * sizes
    return float(np.sqrt(count / (count - 1) * (rest**2).sum()) / len(values))


def difference(
    ours: Floats, theirs: Floats, sessions: Ints, rng: np.random.Generator, rounds: int = 2_000
) -> tuple[float, float, float]:
    """Mean of ours - theirs on the same cases, with the ends of its 95 % interval.

    Percentile bootstrap that draws whole sessions (Efron, Tibshirani 1993, chapters 8 and 13). NaN for no cases.
    """
    totals, sizes = _by_session(ours - theirs, sessions)
    if not len(totals):
        return NAN, NAN, NAN
    count = len(totals)
    means = np.empty(rounds)
    for place in range(rounds):
        drawn = rng.integers(count, size=count)
        means[place] = totals[drawn].sum() / sizes[drawn].sum()
    low, high = np.percentile(means, (2.5, 97.5))
    return float(totals.sum() / sizes.sum()), float(low), float(high)


def _by_session(values: Floats, sessions: Ints) -> tuple[Floats, Floats]:
    _, places = np.unique(sessions, return_inverse=True)
    return np.bincount(places, values).astype(np.float64), np.bincount(places).astype(np.float64)


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else NAN
