"""Every metric against a sum made by hand."""

import math

import numpy as np
import pytest

from personalizer.evaluation import metrics

RANKS = np.array([1, 0, 4, 21])  # right at once, not at all, fourth, and below twenty


def test_hit_rate_by_hand() -> None:
    assert metrics.hit_rate(RANKS, 20) == 2 / 4
    assert metrics.hit_rate(RANKS, 3) == 1 / 4
    assert metrics.hit_rate(RANKS, 21) == 3 / 4


def test_reciprocal_rank_by_hand() -> None:
    assert metrics.reciprocal_rank(RANKS, 20) == (1 + 0 + 1 / 4 + 0) / 4
    assert metrics.reciprocal_rank(RANKS, 3) == 1 / 4


def test_ndcg_by_hand() -> None:
    assert metrics.ndcg(np.array([1, 3, 0]), 20) == pytest.approx((1 + 1 / 2 + 0) / 3)  # log2(1 + 3) = 2
    assert metrics.ndcg(np.array([1]), 20) == 1.0


def test_precision_and_recall_by_hand() -> None:
    found, remaining = np.array([2, 0]), np.array([4, 1])
    assert metrics.precision(found, 20) == (2 / 20 + 0) / 2
    assert metrics.recall(found, remaining) == (2 / 4 + 0) / 2


def test_coverage_counts_items_that_were_shown_at_all() -> None:
    assert metrics.coverage(np.array([0, 7, 1, 0])) == 0.5


def test_popularity_leaves_out_empty_lists() -> None:
    assert metrics.mean_popularity(np.array([0.2, np.nan, 0.4])) == pytest.approx(0.3)


def test_calibration_error_by_hand() -> None:
    # Ten forecasts of 0.2 of which one came true, ten of 0.8 of which all did: (|0.2 - 0.1| + |0.8 - 1|) / 2.
    forecasts = np.array([0.2] * 10 + [0.8] * 10)
    outcomes = np.array([1.0] + [0.0] * 9 + [1.0] * 10)
    found = metrics.reliability(forecasts, outcomes, bins=2)
    assert found.came_true.tolist() == [0.1, 1.0]
    assert found.size.tolist() == [10, 10]
    assert metrics.calibration_error(found) == pytest.approx(0.15)


def test_what_always_comes_as_often_as_said_has_no_calibration_error() -> None:
    forecasts, outcomes = np.repeat([0.25, 0.75], 4), np.array([1, 0, 0, 0, 1, 1, 1, 0])
    assert metrics.calibration_error(metrics.reliability(forecasts, outcomes, bins=2)) == 0.0


def test_no_claims_have_no_calibration_error() -> None:
    found = metrics.reliability(np.full(3, np.nan), np.zeros(3))
    assert math.isnan(metrics.calibration_error(found))


def test_standard_error_of_single_trials_is_the_usual_one() -> None:
    values = np.array([1.0, 0.0, 1.0, 1.0])
    expected = values.std(ddof=1) / math.sqrt(4)
    assert metrics.standard_error(values, np.arange(4)) == pytest.approx(expected)


def test_standard_error_knows_that_a_visit_is_one_trial() -> None:
    # Two visits, one all right, one all wrong: the rests are ±1 with sizes 2, so sqrt(2/1 · (1 + 1)) / 4.
    values, sessions = np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1])
    assert metrics.standard_error(values, sessions) == pytest.approx(0.5)
    assert metrics.standard_error(values, sessions) > metrics.standard_error(values, np.arange(4))


def test_a_difference_that_every_visit_shows_is_certain() -> None:
    sessions = np.repeat(np.arange(50), 3)
    mean, low, high = metrics.difference(np.ones(150), np.zeros(150), sessions, np.random.default_rng(1))
    assert (mean, low, high) == (1.0, 1.0, 1.0)


def test_a_difference_of_noise_holds_nought() -> None:
    rng = np.random.default_rng(2)
    sessions = np.arange(400)
    ours, theirs = rng.random(400).round(), rng.random(400).round()
    mean, low, high = metrics.difference(ours, theirs, sessions, np.random.default_rng(3))
    assert low < mean < high
    assert low < 0 < high


def test_the_interval_is_about_as_wide_as_the_standard_error_says() -> None:
    rng = np.random.default_rng(4)
    sessions = np.repeat(np.arange(300), 2)
    ours = rng.random(600)
    _, low, high = metrics.difference(ours, np.zeros(600), sessions, np.random.default_rng(5))
    assert high - low == pytest.approx(2 * 1.96 * metrics.standard_error(ours, sessions), rel=0.1)


def test_nothing_has_no_figures() -> None:
    none = np.zeros(0)
    figures = [
        metrics.hit_rate(none, 20),
        metrics.ndcg(none, 20),
        metrics.coverage(none),
        metrics.standard_error(none, none),
    ]
    assert all(math.isnan(figure) for figure in figures)
    assert all(math.isnan(one) for one in metrics.difference(none, none, none, np.random.default_rng(1)))
