"""The proof: on logs of a shop whose law is known, the learner finds it where counting clicks by impressions does not."""

import numpy as np
import pytest

from personalizer.feedback.learn import Assumed, learn
from personalizer.feedback.position import Shown
from personalizer.feedback.responses import Responses
from tests.personalizer.feedback.simulated import SOURCES, World, naive_rates, shown_of

EXAMINED = np.array([1, 0.75, 0.55, 0.45, 0.3, 0.25, 0.2, 0.15])
ITEMS = 60
NOBODY = np.zeros((1, 2))


def world(rng: np.random.Generator, power: float) -> World:
    return World(EXAMINED, np.exp(rng.normal(np.log(0.06), 0.7, ITEMS)).clip(0.003, 0.6), power=power)


def answers(found: Responses, p_next: float = 0.02) -> np.ndarray:
    return found.p_response("home", SOURCES[0], np.arange(ITEMS, dtype=np.int32), np.full(ITEMS, p_next))


def error(found: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square of the error in logarithms: 0.1 is about 10 %."""
    return float(np.sqrt(np.mean(np.log(found / truth) ** 2)))


@pytest.mark.parametrize("power", [0.0, 0.5], ids=["items differ", "items and probabilities differ"])
def test_finds_what_items_are_worth_where_naive_rates_are_wrong_by_half_and_more(power: float) -> None:
    rng = np.random.default_rng(11)
    shop = world(rng, power)
    shown = shown_of(shop.log(40_000, rng))
    found = learn(shown, NOBODY, NOBODY, ITEMS)
    assert found.sound(ITEMS)
    often = np.bincount(shown.item) >= 1_000
    assert often.mean() > 0.75
    assert error(answers(found)[often], shop.attraction[often]) < 0.2
    assert error(naive_rates(shown, ITEMS)[often], shop.attraction[often]) > 0.5


def test_of_two_equal_items_the_one_that_always_stood_low_is_not_held_for_worse() -> None:
    rng = np.random.default_rng(12)
    shop = world(rng, 0.0)
    shop.attraction[:2] = 0.1
    columns = shop.log(40_000, rng)
    kept = ~((columns["item"] == 0) & (columns["rank"] > 3)) & ~((columns["item"] == 1) & (columns["rank"] < 4))
    shown = shown_of({name: column[kept] for name, column in columns.items()})
    high, low = naive_rates(shown, ITEMS)[:2]
    assert high > 1.8 * low
    ours = answers(learn(shown, NOBODY, NOBODY, ITEMS))
    assert ours[0] / ours[1] == pytest.approx(1.0, abs=0.2)


def test_ranks_by_what_was_learned_earn_more_than_naive_ones_or_none() -> None:
    """Lists of 8 out of 20: expected clicks, as the planted law has them."""
    rng = np.random.default_rng(13)
    shop = world(rng, 0.5)
    shown = shown_of(shop.log(10_000, rng))
    found, counted = learn(shown, NOBODY, NOBODY, ITEMS), naive_rates(shown, ITEMS)
    clicks = {"ours": 0.0, "naive": 0.0, "model": 0.0, "best": 0.0}
    for _ in range(1_000):
        items = rng.choice(ITEMS, 20, replace=False).astype(np.int32)
        p_next = np.exp2(rng.normal(-6, 1.5, 20)).clip(2**-13, 0.9)
        truth = shop.attraction[items] * (p_next / 0.02) ** 0.5
        ranked_by = {
            "ours": found.p_response("home", SOURCES[0], items, p_next),
            "naive": counted[items], "model": p_next, "best": truth,
        }  # fmt: skip
        for name, score in ranked_by.items():
            clicks[name] += float((truth[np.argsort(-score)[:8]] * EXAMINED).sum())
    assert clicks["ours"] > 0.97 * clicks["best"]
    assert clicks["ours"] > 1.1 * max(clicks["naive"], clicks["model"])


def test_probabilities_are_calibrated() -> None:
    """On a log that was not learned from: of offers with about the same P at their rank, that share is clicked."""
    rng = np.random.default_rng(14)
    shop = world(rng, 0.5)
    found = learn(shown_of(shop.log(30_000, rng)), NOBODY, NOBODY, ITEMS)
    later = shop.log(30_000, rng)
    said = found.p_response("home", SOURCES[0], later["item"].astype(np.int32), later["p_next"])
    said = said * found.examined("home", 8)[later["rank"] - 1]
    tenth = np.digitize(said, np.quantile(said, np.arange(1, 10) / 10))
    for place in range(10):
        assert later["clicked"][tenth == place].mean() == pytest.approx(said[tenth == place].mean(), rel=0.15, abs=0.002)


def test_sources_that_are_clicked_more_have_higher_rates_by_placement() -> None:
    rng = np.random.default_rng(15)
    shop = World(EXAMINED, np.full(ITEMS, 0.08))
    columns = shop.log(20_000, rng)
    source = rng.integers(0, 2, len(columns["rank"]))
    columns["clicked"] = columns["clicked"] & ((source == 0) | (rng.random(len(source)) < 0.25))
    found = learn(shown_of(columns, source), NOBODY, NOBODY, ITEMS)
    items, p_next = np.arange(1, dtype=np.int32), np.full(1, 0.02)
    ratio = found.p_response("home", SOURCES[1], items, p_next) / found.p_response("home", SOURCES[0], items, p_next)
    assert ratio[0] == pytest.approx(0.25, rel=0.1)


def test_conversion_is_learned_beside_it() -> None:
    nothing = shown_of(World(EXAMINED, np.full(ITEMS, 0.05)).log(10, np.random.default_rng(1)))
    found = learn(nothing, np.array([[1000.0, 0.0]]), np.array([[100.0, 0.0]]), ITEMS)
    assert found.p_conversion("home", SOURCES[0]) == pytest.approx(0.1, rel=0.1)
    assert 0.02 < found.p_conversion("home", SOURCES[1]) < 0.12


def test_nothing_shown_is_the_prior() -> None:
    empty = np.zeros(0, np.int64)
    nothing = Shown((), (), empty, empty, empty, empty, empty, empty, np.zeros(0, np.bool_), *[np.zeros(0)] * 3)
    found, prior = learn(nothing, np.zeros((0, 0)), np.zeros((0, 0)), 4), Responses.prior(4)
    assert found.sound(4)
    for name in ("rates", "conversion", "curve", "examination", "factor"):
        assert getattr(found, name) == pytest.approx(getattr(prior, name), rel=1e-5)


def test_the_same_log_always_gives_the_same() -> None:
    rng = np.random.default_rng(16)
    shown = shown_of(world(rng, 0.5).log(500, rng))
    one, two = (learn(shown, NOBODY, NOBODY, ITEMS).arrays() for _ in range(2))
    assert all((one[name] == two[name]).all() for name in one)


def test_sources_that_do_not_rank_by_probability_have_one_rate_for_all() -> None:
    """Their clicks rise with the model's probability as well; what they are worth is then their rate alone."""
    rng = np.random.default_rng(17)
    shown = shown_of(World(np.ones(8), np.full(ITEMS, 0.08), power=0.5).log(5_000, rng))
    found = learn(shown, NOBODY, NOBODY, ITEMS, Assumed({SOURCES[0]: 0.1}, curved=frozenset({"another"})))
    assert found.rates[0, 0] == pytest.approx(shown.clicked.sum() / shown.shown.sum(), rel=0.1)
    assert found.curve[0] == pytest.approx(Responses.prior(1).curve[0])
