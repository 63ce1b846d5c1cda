"""Measures by hand."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from personalizer.readiness.measures import auc, bins_of, difference, measured

EVEN = np.ones(4)


def test_auc_counts_pairs() -> None:
    bought = np.array([0.0, 1, 0, 1])
    assert auc(bought, np.array([0.1, 0.2, 0.3, 0.4]), EVEN) == 0.75  # three of four pairs are the right way round
    assert auc(bought, np.array([0.1, 0.9, 0.1, 0.8]), EVEN) == 1
    assert auc(bought, np.full(4, 0.5), EVEN) == 0.5  # ties half
    assert auc(bought, np.array([0.1, 0.2, 0.3, 0.4]), np.array([3.0, 1, 1, 1])) == 0.875  # 7 of 8
    assert auc(np.zeros(4), np.arange(4.0), EVEN) == 0.5


def test_auc_is_the_one_everybody_means() -> None:
    rng = np.random.default_rng(2)
    bought = (rng.random(500) < 0.2).astype(float)
    said, weights = np.round(rng.random(500) + 0.3 * bought, 1), rng.random(500) + 0.1
    assert auc(bought, said, weights) == pytest.approx(roc_auc_score(bought, said, sample_weight=weights))


def test_losses_by_hand() -> None:
    found = measured(np.array([1.0, 0.0]), np.array([0.8, 0.4]), np.array([1.0, 3.0]))
    assert found.log_loss == pytest.approx(-(math.log(0.8) + 3 * math.log(0.6)) / 4)
    assert found.brier == pytest.approx((0.04 + 3 * 0.16) / 4)
    assert found.ece == pytest.approx((0.2 + 3 * 0.4) / 4)


def test_bins_weigh_the_same_and_keep_likes_together() -> None:
    said = np.repeat([0.1, 0.2, 0.3], [50, 30, 20])
    found = bins_of((np.arange(100) % 2).astype(float), said, np.ones(100))
    assert [each.weight for each in found] == pytest.approx([0.5, 0.3, 0.2])
    assert [each.predicted for each in found] == pytest.approx([0.1, 0.2, 0.3])
    assert all(each.low < each.bought == 0.5 < each.high for each in found)
    even = bins_of(np.zeros(1000), np.linspace(0, 1, 1000), np.ones(1000))
    assert [each.weight for each in even] == pytest.approx([0.1] * 10)


def test_an_interval_is_that_of_wilson() -> None:
    (one,) = bins_of(np.array([1.0] * 2 + [0.0] * 8), np.full(10, 0.2), np.ones(10))
    assert (round(one.low, 3), round(one.high, 3)) == (0.057, 0.510)


def test_a_difference_is_sure_only_when_there_is_one() -> None:
    rng = np.random.default_rng(3)
    bought = (rng.random(3000) < 0.3).astype(float)
    visitors = np.arange(3000, dtype=np.uint32) // 3
    good, poor = bought + rng.normal(0, 1, 3000), bought + rng.normal(0, 4, 3000)
    low, high = difference(bought, good, poor, np.ones(3000), visitors, seed=1)
    assert 0 < low < high
    low, high = difference(bought, poor, bought + rng.normal(0, 4, 3000), np.ones(3000), visitors, seed=1)
    assert low < 0 < high
    assert difference(bought, good, good, np.ones(3000), visitors, seed=1) == (0, 0)
