"""Flat trees score as the library that grew them."""

import lightgbm
import numpy as np
import pytest

from personalizer.models.next_item.compiled import still, warm
from personalizer.models.next_item.trees import Trees, no_trees, of_dump, predict


def scores(trees: Trees, rows: np.ndarray) -> np.ndarray:
    warm()
    found = np.full(len(rows), np.nan, np.float32)
    predict(trees, still(rows, np.float32), found)
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
    assert len(trees.roots) == 40
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
    inside = int(np.flatnonzero(trees.feature >= 0)[3])
    for name in ("left", "right"):
        for wrong in (inside, len(trees.feature), -1):  # in a circle, outside
            array = getattr(trees, name).copy()
            array[inside] = wrong
            assert not trees._replace(**{name: array}).sound(5)
    assert not trees._replace(roots=trees.roots + len(trees.feature)).sound(5)
    assert not trees._replace(threshold=trees.threshold * np.nan).sound(5)
    assert not trees._replace(threshold=trees.threshold[1:]).sound(5)
