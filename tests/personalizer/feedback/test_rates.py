import numpy as np
import pytest

from personalizer.feedback.rates import LookedAt, fit, spread_of_items, two_way
from personalizer.feedback.responses import BINS, PRIOR_RATE, prior_curve

USUAL = np.full(1, PRIOR_RATE)
NO = np.zeros(0, np.int64)


def seen(rng: np.random.Generator, rates: np.ndarray, factor: np.ndarray, power: float, count: int) -> LookedAt:
    """Looks and clicks under a known law; bins as of probabilities that are spread over the middle of the range."""
    placement, source = (rng.integers(0, size, count) for size in rates.shape)
    item, bin_ = rng.integers(0, len(factor), count), rng.integers(8, 24, count)
    curve = np.exp2(power * (bin_ - 16) / 2)
    looked_at = np.full(count, 20.0)
    clicked = rng.poisson(looked_at * rates[placement, source] * curve * factor[item])
    return LookedAt(placement, source, bin_, item, looked_at, clicked.astype(np.float64))


def test_finds_rates_curve_and_items_apart() -> None:
    rng = np.random.default_rng(2)
    rates = np.array([[0.01, 0.03, 0.02], [0.05, 0.02, 0.08]])
    factor = rng.gamma(4, 0.25, 200)
    found = fit(seen(rng, rates, factor, 0.8, 100_000), 2, USUAL.repeat(3), 200)
    ratio = found.rates[:2, :3] / rates
    assert ratio / ratio.mean() == pytest.approx(np.ones((2, 3)), rel=0.05)
    curve = found.curve[0, 8:24] / found.curve[0, 16]
    assert np.log2(curve) == pytest.approx(0.8 * (np.arange(8, 24) - 16) / 2, abs=0.25)
    assert np.corrcoef(np.log(found.factor), np.log(factor))[0, 1] > 0.97
    assert 2 <= found.spread <= 8  # it was 4


def test_what_is_fitted_adds_up_to_the_clicks_there_were() -> None:
    rng = np.random.default_rng(3)
    log = seen(rng, np.array([[0.02, 0.04]]), np.ones(20), 0.3, 50_000)
    found = fit(log, 1, USUAL.repeat(2), 20)
    expected = log.looked_at * found.rates[0, log.source] * found.curve[0, log.bin] * found.factor[log.item]
    assert expected.sum() == pytest.approx(log.clicked.sum(), rel=0.02)


def test_without_data_everything_is_as_assumed() -> None:
    nothing = LookedAt(NO, NO, NO, NO, np.zeros(0), np.zeros(0))
    found = fit(nothing, 2, USUAL, 3)
    assert found.rates == pytest.approx(np.full((3, 2), PRIOR_RATE))
    assert found.curve == pytest.approx(np.tile(prior_curve(), (3, 1)))
    assert found.factor.tolist() == [1, 1, 1]


def test_items_that_the_model_does_not_know_count_for_the_rates_only() -> None:
    count = 1000
    zeros = np.zeros(count, np.int64)
    found = fit(LookedAt(zeros, zeros, zeros + BINS, zeros - 1, np.full(count, 10.0), np.full(count, 1.0)), 1, USUAL, 2)
    assert found.rates[0, 0] == pytest.approx(0.1, rel=0.02)
    assert found.factor.tolist() == [1, 1]


def test_a_curve_never_falls() -> None:
    rng = np.random.default_rng(4)
    found = fit(seen(rng, np.array([[0.02]]), np.ones(5), -0.5, 20_000), 1, USUAL, 5)
    assert (np.diff(found.curve[:, :BINS]) >= -1e-12).all()


def test_few_clicks_stay_near_their_parents() -> None:
    found = two_way(np.array([[40.0, 1.0], [400.0, 0.0]]), np.array([[1000.0, 10.0], [20_000.0, 0.0]]), 0.02)
    assert found.shape == (3, 3)
    assert found[0, 0] == pytest.approx(0.04, rel=0.1)
    assert found[1, 0] == pytest.approx(0.02, rel=0.05)
    assert 0.02 < found[0, 1] < 0.06  # one click of ten looks is no 10 %
    assert found[1, 1] == pytest.approx(found[1, 2] * found[2, 1] / found[2, 2])  # nothing shown: the product of its margins


def test_how_much_items_differ_is_found() -> None:
    rng = np.random.default_rng(5)
    due = rng.uniform(1, 40, 3000)
    for spread in (1.0, 16.0):
        clicks = rng.poisson(due * rng.gamma(spread, 1 / spread, 3000)).astype(np.float64)
        assert spread / 2 <= spread_of_items(clicks, due) <= spread * 2
    alike = rng.poisson(due).astype(np.float64)
    assert spread_of_items(alike, due) >= 256
    assert spread_of_items(np.zeros(3), np.zeros(3)) >= 256


def test_a_source_is_what_is_assumed_of_it_until_its_clicks_say_otherwise() -> None:
    usual = np.array([0.01, 0.06])
    zeros = np.zeros(2, np.int64)
    few = LookedAt(zeros, np.array([0, 1]), zeros + BINS, zeros, np.ones(2), np.zeros(2))
    found = fit(few, 1, usual, 1)
    assert found.rates[0, :2] == pytest.approx(usual, rel=0.15)
    many = LookedAt(zeros, np.array([0, 1]), zeros + BINS, zeros - 1, np.full(2, 1e5), np.full(2, 3e3))
    assert fit(many, 1, usual, 1).rates[0, :2] == pytest.approx([0.03, 0.03], rel=0.01)
