"""Flat trees score as the library that grew them."""

from typing import Any

import lightgbm
import numpy as np
import pytest

from personalizer.models.next_item.compiled import still, warm
from personalizer.models.next_item.trees import BLOCK, MOST_LEAVES, Trees, mean_of, new_bench, no_trees, of_dump, predict


def scores(trees: Trees, rows: np.ndarray) -> np.ndarray:
    warm()
    found = np.full(len(rows), np.nan, np.float32)
    predict(trees, still(rows, np.float32), new_bench(rows.shape[1]), found)
    return found


@pytest.fixture(scope="module")
def grown() -> tuple[Trees, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(3000, 5)).astype(np.float32)
    rows[:, 4] = rng.integers(0, 4, 3000)
    wanted = (rows[:, 0] * rows[:, 1] + (rows[:, 4] == 2) + rng.normal(0, 0.1, 3000) > 0.5).astype(int)
    data = lightgbm.Dataset(rows, wanted)
    given = {"objective": "binary", "num_leaves": 15, "verbose": -1, "num_threads": 1, "max_bin": 63}
    booster = lightgbm.train(given, data, 40)
    return of_dump(booster.dump_model()), rows, booster.predict(rows, raw_score=True)


def test_scores_are_those_of_lightgbm(grown: tuple[Trees, np.ndarray, np.ndarray]) -> None:
    trees, rows, expected = grown
    assert len(trees.leaves) == 40
    assert np.abs(scores(trees, rows) - expected).max() < 1e-5
    assert trees.sound(5)


def test_a_value_at_the_threshold_goes_left_and_the_next_float_right() -> None:
    leaf = [{"leaf_value": -1.0}, {"leaf_value": 2.0}]
    threshold = 0.1  # between two float32
    node = {"split_feature": 0, "threshold": threshold, "left_child": leaf[0], "right_child": leaf[1]}
    trees = of_dump({"tree_info": [{"tree_structure": node}, {"tree_structure": {"leaf_value": 0.5}}]})
    below = np.nextafter(np.float32(threshold), np.float32(-1))
    above = np.nextafter(below, np.float32(1))
    assert float(below) < threshold < float(above)
    assert scores(trees, np.array([[below], [above]])).tolist() == [-0.5, 2.5]


def test_no_trees_score_nothing() -> None:
    assert scores(no_trees(), np.ones((2, 3))).tolist() == [0.0, 0.0]
    assert no_trees().sound(3)


def test_trees_that_lead_astray_are_not_sound(grown: tuple[Trees, np.ndarray, np.ndarray]) -> None:
    trees = grown[0]
    assert not trees.sound(2)  # they ask for features that nobody has
    nobody = trees.left_for.copy()
    nobody[3] &= np.uint32(2**31 - 1)  # a row may be left without a leaf
    backwards = trees.starts.copy()
    backwards[1] = backwards[2] + 1
    for wrong in (
        trees._replace(left_for=nobody),
        trees._replace(starts=backwards),
        trees._replace(starts=trees.starts + 1),
        trees._replace(starts=trees.starts[:-1]),
        trees._replace(feature=trees.feature - 1),
        trees._replace(threshold=trees.threshold * np.nan),
        trees._replace(threshold=trees.threshold[1:]),
        trees._replace(leaves=trees.leaves[:, 1:]),
        trees._replace(leaves=trees.leaves * np.nan),
    ):
        assert not wrong.sound(5)


@pytest.mark.parametrize("rows", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_any_number_of_rows(grown: tuple[Trees, np.ndarray, np.ndarray], rows: int) -> None:
    trees, given, expected = grown
    assert scores(trees, given[:rows]) == pytest.approx(expected[:rows], abs=1e-5)


def chain(leaves: int, side: str) -> dict[str, Any]:
    """A tree that is as deep as one of so many leaves can be: leaf n for values in (n - 1, n], from below or above."""
    node: dict[str, Any] = {"leaf_value": float(leaves - 1 if side == "right_child" else 0)}
    other = "left_child" if side == "right_child" else "right_child"
    for number in reversed(range(leaves - 1)) if side == "right_child" else range(leaves - 1):
        leaf = {"leaf_value": float(number if side == "right_child" else number + 1)}
        node = {"split_feature": 0, "threshold": float(number), side: node, other: leaf}
    return {"tree_info": [{"tree_structure": node}]}


@pytest.mark.parametrize("side", ["left_child", "right_child"])
def test_as_many_leaves_as_there_are_bits_and_no_more(side: str) -> None:
    trees = of_dump(chain(MOST_LEAVES, side))
    assert trees.sound(1)
    rows = np.arange(-3, MOST_LEAVES + 3)[:, None] - 0.5
    assert scores(trees, rows).tolist() == np.clip(np.arange(-3, MOST_LEAVES + 3), 0, MOST_LEAVES - 1).tolist()
    with pytest.raises(ValueError, match="at most 32 leaves, got 33"):
        of_dump(chain(MOST_LEAVES + 1, side))


def test_the_mean_of_several_forests(grown: tuple[Trees, np.ndarray, np.ndarray]) -> None:
    trees, rows, expected = grown
    other = of_dump(chain(8, "right_child"))
    both = mean_of([other, no_trees(), trees, other])
    assert both.sound(5)
    assert scores(both, rows) == pytest.approx((expected + 2 * scores(other, rows)) / 4, abs=1e-5)
