"""What scikit-learn learns, and how it is written down: two kinds of models of one shape. No I/O.

`bins`: logistic regression on features that are cut into bins of about equal weight, which takes care of bends and of
what has not happened. `trees`: histogram gradient boosting. Both answer log odds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from baliza.readiness.model import LEAF, Bins, Calibration, Tree, Trees

__all__ = ["LEARNERS", "Learned", "Learner", "calibration", "fit_bins", "fit_trees"]

MOST_BINS: Final = 8
STRENGTH: Final = 0.3  # of the penalty's inverse: C of LogisticRegression
ROUNDS: Final = 80
LEAVES: Final = 8
LEARNING_RATE: Final = 0.08
# Buying sessions; with fewer it fits to chance (scikit-learn's guide, "Probability calibration").
ISOTONIC_FROM: Final = 1000
Floats = NDArray[np.float64]


class Learned(Protocol):
    """A fitted model."""

    def log_odds(self, features: Floats) -> Floats:
        """Of shape (n,) for features (n, m), by scikit-learn."""

    def exported(self) -> Trees | Bins:
        """The same in numbers."""


class Learner(Protocol):
    """Fits a model: features (n, m), bought (n,), weights (n,)."""

    def __call__(self, features: Floats, bought: Floats, weights: Floats) -> Learned: ...


@dataclass(frozen=True)
class _Bins:
    edges: list[Floats]
    fitted: LogisticRegression

    def log_odds(self, features: Floats) -> Floats:
        found: Floats = self.fitted.decision_function(_one_hot(features, self.edges))
        return found

    def exported(self) -> Bins:
        weights = np.split(self.fitted.coef_[0], np.cumsum([len(edges) + 1 for edges in self.edges])[:-1])
        return Bins(float(self.fitted.intercept_[0]), [e.tolist() for e in self.edges], [w.tolist() for w in weights])


@dataclass(frozen=True)
class _Trees:
    fitted: HistGradientBoostingClassifier

    def log_odds(self, features: Floats) -> Floats:
        with threadpool_limits(1):
            found: Floats = self.fitted.decision_function(features)
        return found

    def exported(self) -> Trees:
        # Not public, which is why training compares what was written with what scikit-learn says.
        predictors = self.fitted._predictors
        base = float(np.ravel(self.fitted._baseline_prediction)[0])
        return Trees(base, [_tree(predictor.nodes) for (predictor,) in predictors])


def fit_bins(features: Floats, bought: Floats, weights: Floats) -> Learned:
    """Logistic regression on binned features."""
    edges = [_edges(column) for column in features.T]
    with threadpool_limits(1):
        fitted = LogisticRegression(C=STRENGTH, max_iter=300, tol=1e-4).fit(_one_hot(features, edges), bought, weights)
    return _Bins(edges, fitted)


def fit_trees(features: Floats, bought: Floats, weights: Floats) -> Learned:
    """Histogram gradient boosting; trees are small, because a score must take microseconds."""
    made = HistGradientBoostingClassifier(
        learning_rate=LEARNING_RATE, max_iter=ROUNDS, max_leaf_nodes=LEAVES, min_samples_leaf=30, l2_regularization=5.0,
        early_stopping=False, random_state=0,
    )  # fmt: skip
    with threadpool_limits(1):
        return _Trees(made.fit(features, bought, weights))


LEARNERS: Final[Mapping[str, Learner]] = {"bins": fit_bins, "trees": fit_trees}


def calibration(log_odds: Floats, bought: Floats, weights: Floats, buyers: int) -> Calibration:
    """From log odds to probability: isotonic when there are enough buying sessions, else Platt's curve.

    Neither says less or more than the data can tell: at the ends one moment's weight more is thought to have gone otherwise.
    """
    total = float(weights.sum())
    least, most = 0.5 / (total + 1), (total + 0.5) / (total + 1)
    if buyers >= ISOTONIC_FROM:
        fitted = IsotonicRegression(out_of_bounds="clip").fit(log_odds, bought, weights)
        points, values = fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist()
        return Calibration(points, values, least=least, most=most)
    curve = LogisticRegression(C=np.inf).fit(log_odds[:, None], bought, weights)
    return Calibration(slope=-float(curve.coef_[0, 0]), shift=-float(curve.intercept_[0]), least=least, most=most)


def _edges(column: Floats) -> Floats:
    """Where bins begin: quantiles, and what lies between two different values."""
    values, counts = np.unique(column, return_counts=True)
    if len(values) <= MOST_BINS:
        return values[1:]
    reached = np.cumsum(counts) / counts.sum()
    cuts = np.searchsorted(reached, np.arange(1, MOST_BINS) / MOST_BINS) + 1
    return values[np.unique(cuts[cuts < len(values)])]


def _one_hot(features: Floats, edges: list[Floats]) -> Any:
    sizes = [len(each) + 1 for each in edges]
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    columns = [
        np.searchsorted(each, column, side="right") + start
        for each, column, start in zip(edges, features.T, starts, strict=True)
    ]
    n, m = features.shape
    indices = np.stack(columns, axis=1).ravel()
    return sparse.csr_array((np.ones(n * m), indices, np.arange(0, n * m + 1, m)), shape=(n, sum(sizes)))


def _tree(nodes: Any) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        feature=np.where(leaf, LEAF, nodes["feature_idx"]).tolist(),
        threshold=np.where(leaf, 0.0, nodes["num_threshold"]).tolist(),
        left=nodes["left"].tolist(),
        right=nodes["right"].tolist(),
        value=nodes["value"].tolist(),
    )
