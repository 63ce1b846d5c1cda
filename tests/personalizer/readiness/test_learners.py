"""What is written down says what scikit-learn says."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from baliza.readiness.model import scored
from personalizer.readiness.learners import LEARNERS, calibration
from personalizer.readiness.snapshots import Moments
from tests.personalizer.readiness.shoppers import moments


@pytest.fixture(scope="module")
def seen() -> Moments:
    return moments(1500, wanting=0.3)


@pytest.mark.parametrize("kind", sorted(LEARNERS))
def test_scores_are_those_of_scikit_learn(kind: str, seen: Moments) -> None:
    fitted = LEARNERS[kind](seen.features, seen.bought, seen.weights)
    ours = scored(fitted.exported())
    odd = np.concatenate([seen.features[:2000], np.random.default_rng(1).normal(0, 50, (500, seen.features.shape[1]))])
    theirs = fitted.log_odds(odd)
    assert np.abs(np.array([ours(tuple(row)) for row in odd.tolist()]) - theirs).max() < 1e-6
    assert np.ptp(theirs) > 1


@pytest.mark.parametrize("kind", sorted(LEARNERS))
def test_learns_what_was_planted(kind: str, seen: Moments) -> None:
    fitted = LEARNERS[kind](seen.features, seen.bought, seen.weights)
    scores = fitted.log_odds(seen.features)
    assert scores[seen.bought > 0].mean() > scores[seen.bought == 0].mean() + 0.5


def test_points_and_curve_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    odds = rng.normal(-2, 2, 4000)
    bought = (rng.random(4000) < 1 / (1 + np.exp(-odds / 2))).astype(float)
    weights = rng.random(4000) + 0.2
    isotonic = calibration(odds, bought, weights, buyers=1000)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(odds, bought, weights).predict(odds)
    least, most = isotonic.least, isotonic.most
    assert np.abs(said(isotonic, odds) - np.clip(theirs, least, most)).max() < 1e-6
    platt = calibration(odds, bought, weights, buyers=999)
    assert platt.points == []
    assert platt.slope == pytest.approx(-0.5, abs=0.06)
    assert platt.shift == pytest.approx(0, abs=0.15)


def test_nobody_is_told_that_something_is_certain() -> None:
    odds = np.array([-3.0, -2, 2, 3] * 10)
    bought = (odds > 0).astype(float)
    for buyers in (10, 1000):
        found = said(calibration(odds, bought, np.ones(40), buyers), odds)
        assert 0 < found.min() < 0.05
        assert 0.95 < found.max() < 1


def said(curve: object, odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([curve(value) for value in odds.tolist()])  # type: ignore[operator]
