"""Scores become honest probabilities."""

import numpy as np
import pytest

from personalizer.models.next_item.calibration import (
    Calibration,
    calibrate,
    expected_error,
    probabilities,
    uncalibrated,
)


def made(moments: int, sharpness: float, none: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of five candidates a moment, and what came next drawn with just these probabilities."""
    rng = np.random.default_rng(seed)
    scores = np.sort(rng.normal(size=(moments, 5)))[:, ::-1].astype(np.float32)
    odds = np.exp(scores * sharpness)
    chance = odds / (odds.sum(axis=1, keepdims=True) + np.exp(none))
    drawn = rng.random(moments)[:, None]
    ends = np.cumsum(chance, axis=1)
    was_next = (drawn < ends) & (drawn >= ends - chance)
    return scores.ravel(), was_next.ravel().astype(np.uint8), np.full(moments, 5, np.int32)


def test_a_part_is_the_candidates_share_of_all_and_nothing() -> None:
    found = probabilities(uncalibrated(), np.log(np.array([3.0, 1.0, 1.0])).astype(np.float32), np.array([2, 0, 1]))
    assert found.tolist() == pytest.approx([3 / 5, 1 / 5, 1 / 2])  # nothing of them weighs e^0 = 1


def test_points_of_the_correction_are_joined_by_straight_lines() -> None:
    knots, values = np.array([0.0, 0.5, 1.0], np.float32), np.array([0.0, 0.1, 1.0], np.float32)
    calibration = uncalibrated()._replace(knots=knots, values=values)
    found = probabilities(calibration, np.log(np.array([3.0, 1.0])).astype(np.float32), np.array([2]))
    assert found.tolist() == pytest.approx([0.1 + 0.9 * 0.1 / 0.5, 0.04])


def test_finds_the_sharpness_that_the_scores_have() -> None:
    found = calibrate(*made(6000, 2.0, 1.0, seed=1))
    assert found.sharpness == pytest.approx(2.0, rel=0.1)
    assert found.none == pytest.approx(1.0, abs=0.2)
    assert found.sound()


def test_what_is_called_likely_comes_as_often_as_it_is_called() -> None:
    fitted = calibrate(*made(6000, 2.0, 1.0, seed=1))
    scores, was_next, sizes = made(6000, 2.0, 1.0, seed=2)
    found = probabilities(fitted, scores, sizes)
    assert expected_error(found, was_next) < 0.01
    likely = found > 0.5
    assert was_next[likely].mean() == pytest.approx(found[likely].mean(), abs=0.03)
    assert expected_error(probabilities(uncalibrated(), scores, sizes), was_next) > 0.03


def test_nothing_that_came_true_leaves_scores_uncalibrated() -> None:
    found = calibrate(np.ones(4, np.float32), np.zeros(4, np.uint8), np.array([4]))
    assert (found.sharpness, found.none, len(found.knots)) == (1.0, 0.0, 0)


def test_the_error_is_the_mean_distance_of_what_was_called_and_what_came() -> None:
    # Fifteen bins of two: one of each two came, a quarter was called.
    assert expected_error(np.full(30, 0.25), np.tile([0, 1], 15)) == pytest.approx(0.25)
    assert expected_error(np.full(30, 0.5), np.tile([0, 1], 15)) == 0.0
    assert expected_error(np.zeros(0), np.zeros(0)) == 0.0


@pytest.mark.parametrize(
    "change",
    [
        {"sharpness": 0.0}, {"sharpness": float("nan")}, {"tail": 1.5}, {"knots": np.array([0.5, 0.5], np.float32)},
        {"values": np.array([0.9, 0.1], np.float32)}, {"values": np.array([0.1, 1.1], np.float32)},
        {"values": np.array([0.5], np.float32)},
    ],
)  # fmt: skip
def test_what_gives_no_probabilities_is_not_sound(change: dict[str, object]) -> None:
    good = Calibration(1.0, 0.0, 0.1, np.array([0.1, 0.5], np.float32), np.array([0.1, 0.4], np.float32))
    assert good.sound()
    assert not good._replace(**change).sound()  # type: ignore[arg-type]
