"""From what was played to the figures of a table. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from personalizer.evaluation import metrics
from personalizer.evaluation.protocol import MOST, Played
from personalizer.evaluation.ranker import Ranker

__all__ = ["SEED", "Evaluated", "Gain", "best_of", "gain", "plain", "scores"]

CART_FIGURES: Final = ("n", "hr@1", "hr@10", "hr@20", "mrr@20", "hr@1_se", "hr@10_se")
SEED: Final = 20  # of the bootstrap and of the fit: the same run says the same


@dataclass(frozen=True)
class Evaluated:
    """One model on one split. fit_s: wall time; fit_cpu_s: processor time. ranker: what was fitted. fresh: what is new to
    the visitor alone.

    cart, fresh_cart: the same of what is put in the cart first; no predictions where the log does not say.
    """

    model: str
    whole: Played
    fresh: Played
    cart: Played
    fresh_cart: Played
    fit_s: float
    fit_cpu_s: float
    ranker: Ranker
    about: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Gain:
    """How much better than another model on the same predictions, with the ends of the 95 % interval."""

    metric: str
    over: str
    mean: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves out nought: otherwise the difference may be chance."""
        return self.low > 0 or self.high < 0


def scores(played: Played) -> dict[str, float]:
    """All figures of one table's row, by the names that JSON has."""
    ranks, sessions = played.ranks, played.sessions
    took_ms = played.cpu_ns / 1e6
    return {
        "n": len(ranks),
        "hr@20": metrics.hit_rate(ranks, MOST),
        "mrr@20": metrics.reciprocal_rank(ranks, MOST),
        "hr@10": metrics.hit_rate(ranks, 10),
        "mrr@10": metrics.reciprocal_rank(ranks, 10),
        "hr@1": metrics.hit_rate(ranks, 1),
        "ndcg@20": metrics.ndcg(ranks, MOST),
        "precision@20": metrics.precision(played.found, MOST),
        "recall@20": metrics.recall(played.found, played.remaining),
        "coverage@20": metrics.coverage(played.shown),
        "popularity@20": metrics.mean_popularity(played.popularity),
        "hr@20_se": metrics.standard_error(metrics.hits(ranks, MOST), sessions),
        "hr@10_se": metrics.standard_error(metrics.hits(ranks, 10), sessions),
        "hr@1_se": metrics.standard_error(metrics.hits(ranks, 1), sessions),
        "mrr@20_se": metrics.standard_error(metrics.reciprocal(ranks, MOST), sessions),
        "ece": metrics.calibration_error(metrics.reliability(*first_forecasts(played))),
        "mean_ms": float(took_ms.mean()) if len(took_ms) else math.nan,
        "p50_ms": _percentile(took_ms, 50),
        "p90_ms": _percentile(took_ms, 90),
        "p99_ms": _percentile(took_ms, 99),
    }


def first_forecasts(played: Played) -> tuple[metrics.Floats, metrics.Floats]:
    """The probability of each list's first item, and whether it came next."""
    return played.probabilities[:, 0], (played.ranks == 1).astype(np.float64)


def gain(metric: str, ours: Played, other: str, theirs: Played) -> Gain:
    """metric: hr@… or mrr@…, of any length. Both must have played the same cases."""
    name, _, most = metric.partition("@")
    of = {"hr": metrics.hits, "mrr": metrics.reciprocal}[name]
    rng = np.random.default_rng(SEED)
    found = metrics.difference(of(ours.ranks, int(most)), of(theirs.ranks, int(most)), ours.sessions, rng)
    return Gain(metric, other, *found)


def best_of(metric: str, played: Mapping[str, Played]) -> str:
    """The name of the model that is best in a figure."""
    return max(played, key=lambda name: scores(played[name])[metric])


def plain(one: Evaluated) -> dict[str, object]:
    """As JSON has it: one object, null where a figure makes no sense. What is new alone stands in `unseen`.

    `first_cart` is about what is put in the cart first.
    """
    return {
        "model": one.model,
        **_rounded(scores(one.whole)),
        "fit_s": round(one.fit_s, 3),
        "fit_cpu_s": round(one.fit_cpu_s, 3),
        "unseen": _rounded(scores(one.fresh)),
        "first_cart": _cart(one.cart) | {"unseen": _cart(one.fresh_cart)},
        **one.about,
    }


def _cart(played: Played) -> dict[str, object]:
    found = _rounded(scores(played))
    return {name: found[name] for name in CART_FIGURES}


def _rounded(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else round(value, 6) for name, value in figures.items()}


def _percentile(values: metrics.Floats, share: float) -> float:
    """By nearest rank: a figure that was really measured."""
    return float(np.percentile(values, share, method="inverted_cdf")) if len(values) else math.nan
