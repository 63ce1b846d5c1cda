"""Examination by rank, recovered from biased logs of simulated shops whose law is known."""

from dataclasses import replace

import numpy as np
import pytest

from personalizer.feedback.position import Shown, evened, examination, examinations
from personalizer.feedback.responses import MAX_RANK, prior_examination
from tests.personalizer.feedback.simulated import RANKS, World, shown_of

STEEP = np.array([1, 0.75, 0.55, 0.45, 0.3, 0.25, 0.2, 0.15])
FLAT = np.array([1, 0.98, 0.95, 0.93, 0.9, 0.88, 0.86, 0.85])


def attraction(rng: np.random.Generator) -> np.ndarray:
    return np.exp(rng.normal(np.log(0.06), 0.7, 60)).clip(0.003, 0.6)


def log_of(examined: np.ndarray, power: float, decisions: int, seed: int) -> Shown:
    rng = np.random.default_rng(seed)
    return shown_of(World(examined, attraction(rng), power=power).log(decisions, rng))


def naive(shown: Shown) -> np.ndarray:
    rates = np.bincount(shown.rank, shown.clicked)[1:] / np.bincount(shown.rank, shown.shown)[1:]
    return rates / rates[0]


@pytest.mark.parametrize("examined", [STEEP, FLAT], ids=["steep", "flat"])
@pytest.mark.parametrize("power", [0.0, 0.5], ids=["items differ", "items and probabilities differ"])
def test_finds_how_much_each_rank_is_looked_at_where_rates_by_rank_are_wrong(examined: np.ndarray, power: float) -> None:
    shown = log_of(examined, power, 40_000, seed=3)
    found = examinations(shown)[0, :RANKS]
    assert np.abs(np.log(found / examined)).max() < 0.15
    # What stands lower is worse, too: taken for position, that is wrong by half and more.
    assert np.abs(np.log(naive(shown) / examined)).max() > 0.5


def test_what_the_ranking_knew_and_nobody_else_biases_nothing_when_it_was_written_down() -> None:
    """Tastes change from week to week, the ranking follows them, and neither item nor probability shows it."""
    rng = np.random.default_rng(8)
    weeks = [World(STEEP, attraction(rng)).log(4_000, rng) for _ in range(10)]
    columns = {name: np.concatenate([week[name] for week in weeks]) for name in weeks[0]}
    found = examinations(shown_of(columns, believed=True))[0, :RANKS]
    assert np.abs(np.log(found / STEEP)).max() < 0.2
    blind = examinations(shown_of(columns))[0, :RANKS]
    assert np.abs(np.log(blind / STEEP)).max() > 0.4


def test_is_near_the_truth_after_a_few_thousand_decisions() -> None:
    found = examinations(log_of(STEEP, 0.5, 3_000, seed=4))[0, :RANKS]
    assert np.abs(np.log(found / STEEP)).mean() < 0.2


def test_before_there_are_clicks_the_assumed_curve_holds() -> None:
    shown = log_of(STEEP, 0.0, 50, seed=1)
    unclicked = replace(shown, clicked=np.zeros(len(shown)))
    assert examinations(unclicked) == pytest.approx(np.tile(prior_examination(), (2, 1)), rel=1e-5)
    nothing = shown.part(np.zeros(len(shown), np.bool_))
    assert examinations(nothing) == pytest.approx(np.tile(prior_examination(), (2, 1)), rel=1e-5)


def test_items_that_stood_at_one_rank_only_say_nothing() -> None:
    groups = np.repeat(np.arange(5), 2)
    places, shown, clicked = groups.copy(), np.full(10, 100.0), np.tile([5.0, 7.0], 5)
    prior = np.float64(prior_examination())
    assert examination(groups, places, shown, clicked, prior, 20.0) == pytest.approx(prior)


def test_one_item_at_two_ranks_by_hand() -> None:
    """10 % at the first, 5 % at the second rank of as many, and a prior of no weight: half."""
    found = examination(
        np.array([0, 0]), np.array([0, 1]), np.array([1000.0, 1000.0]), np.array([100.0, 50.0]), np.ones(2), 1e-6
    )
    assert found == pytest.approx([1.0, 0.5], rel=1e-3)


def test_each_placement_has_its_own_curve_and_a_small_one_borrows() -> None:
    steep, flat = log_of(STEEP, 0.0, 20_000, seed=5), log_of(FLAT, 0.0, 20_000, seed=6)
    names = ("shown", "clicked", "weight", "source", "item", "rank", "bin", "belief", "explored")
    both = {name: np.concatenate([getattr(steep, name), getattr(flat, name)]) for name in names}
    place = np.repeat([0, 1], [len(steep), len(flat)])
    found = examinations(Shown(placements=("cart", "home", "new"), sources=steep.sources, placement=place, **both))
    assert found.shape == (4, MAX_RANK)
    assert np.abs(np.log(found[0, :RANKS] / STEEP)).max() < 0.2
    assert np.abs(np.log(found[1, :RANKS] / FLAT)).max() < 0.2
    assert found[2] == pytest.approx(found[3])  # a placement without clicks has that of all


def test_dice_outweigh_what_was_only_observed() -> None:
    """Every item is at a rank of its own by rule, and clicks fall because they are worse; dice show that ranks are alike."""
    rng = np.random.default_rng(7)
    count = 40_000
    rank = np.tile([1, 2], count // 2)
    explored = rng.random(count) < 0.2
    # Unseen by us, visitors who see an item high up like it more.
    chance = np.where(explored, 0.2, np.where(rank == 1, 0.3, 0.1))
    clicked = np.float64(rng.random(count) < chance)
    zeros, ones = np.zeros(count, np.int64), np.ones(count)
    weight = np.where(explored, 10.0, 1.25)
    shown = Shown(("home",), ("s",), zeros, zeros, zeros, rank, zeros, zeros, explored, ones, clicked, weight)
    assert examinations(shown)[0, 1] == pytest.approx(1.0, abs=0.15)
    blind = Shown(("home",), ("s",), zeros, zeros, zeros, rank, zeros, zeros, zeros.astype(np.bool_), ones, clicked, weight)
    assert examinations(blind)[0, 1] < 0.6


def test_weights_count_as_many_as_they_are_worth() -> None:
    assert evened(np.array([2.0, 2.0]), np.array([3.0, 5.0])) == pytest.approx([1.0, 1.0])
    weight = evened(np.array([1.0, 9.0]), np.array([9.0, 1.0]))
    assert (weight * [9, 1]).sum() == pytest.approx(18**2 / 90)
    assert evened(np.zeros(0), np.zeros(0)).shape == (0,)


def test_names_that_somebody_made_up_do_not_crowd_out_what_is_shown() -> None:
    names = tuple(sorted(["home", *(f"made-up-{n}" for n in range(300))]))
    n = len(names)
    one, times = np.ones(n, np.int64), np.where(np.array(names) == "home", 50.0, 1.0)
    shown = Shown(
        names, ("s",), np.arange(n), one * 0, one * 0, one, one, one, one > 1, times, times / 2, np.ones(n)
    )  # fmt: skip
    found = shown.busiest(20)
    assert len(found.placements) == len(found) == 20
    assert found.shown[found.placement == found.placements.index("home")].tolist() == [50]
    assert shown.busiest(n) is shown
