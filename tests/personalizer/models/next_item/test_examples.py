"""Moments of sessions, and what might have come next at them."""

import numpy as np
import pytest

from personalizer.models.behaviour import CART, PURCHASE, VIEW
from personalizer.models.next_item.base import Base, build_base
from personalizer.models.next_item.compiled import warm
from personalizer.models.next_item.evidence import Knobs
from personalizer.models.next_item.examples import examples, moments, places
from personalizer.models.next_item.features import FEATURES
from tests.personalizer.models.next_item.test_index import behaviour


@pytest.fixture(scope="module")
def base() -> Base:
    warm()
    return build_base(behaviour(*[[0, 1, 2]] * 3, [0, 3], [4, 5]), 6, None, seed=1)


def test_every_view_but_the_first_is_a_moment() -> None:
    found = moments(behaviour([0, 1, 2], [3], [4, 5], kinds=[VIEW, CART, VIEW, VIEW, VIEW, VIEW]))
    assert (found.begin.tolist(), found.at.tolist()) == ([0, 4], [2, 5])


def test_where_nobody_looks_what_is_bought_next_counts() -> None:
    assert moments(behaviour([0, 1], kinds=[PURCHASE, PURCHASE])).at.tolist() == [1]


def test_some_moments_are_drawn_evenly_and_the_same_each_time() -> None:
    found = moments(behaviour(*[[0, 1]] * 50))
    assert found.some(50, 1) is found
    drawn = found.some(10, 1)
    assert len(set(drawn.at.tolist())) == 10
    assert drawn.at.tolist() == sorted(drawn.at.tolist()) == found.some(10, 1).at.tolist()


def test_the_place_of_what_came_next(base: Base) -> None:
    asked = behaviour([0, 1], [0, 3], [0, 5])
    found = places(base, Knobs(), asked, moments(asked), 100)
    assert found[2] == 100  # nothing speaks for 5 after 0
    assert 0 <= found[0] < found[1] < 6


def test_examples_hold_what_came_next_and_a_share_of_the_others(base: Base) -> None:
    asked = behaviour(*[[0, 3]] * 200)
    whole = examples(base, Knobs(), asked, moments(asked), 100, 1.0, seed=1)
    assert set(whole.sizes.tolist()) == {4}
    assert whole.was_next.sum() == 200
    drawn = examples(base, Knobs(), asked, moments(asked), 100, 0.5, seed=1)
    assert drawn.was_next.sum() == 200
    assert drawn.sizes.sum() == len(drawn.rows) == pytest.approx(200 * (1 + 3 * 0.5), rel=0.15)
    again = examples(base, Knobs(), asked, moments(asked), 100, 0.5, seed=1)
    assert np.array_equal(drawn.rows, again.rows)


def test_a_moment_whose_next_item_is_no_candidate_teaches_nothing_but_is_measured(base: Base) -> None:
    asked = behaviour([0, 5])
    assert examples(base, Knobs(), asked, moments(asked), 100, 0.9, seed=1).sizes.tolist() == [0]
    assert examples(base, Knobs(), asked, moments(asked), 100, 1.0, seed=1).sizes.tolist() == [4]


def test_rows_say_what_the_visit_held(base: Base) -> None:
    asked = behaviour([0, 1, 0, 0, 3])
    rows = examples(base, Knobs(), asked, moments(asked), 100, 1.0, seed=1).rows[-4:]  # the last moment's
    by_name = {name: rows[:, number] for number, name in enumerate(FEATURES)}
    assert by_name["distinct"].tolist() == [2] * 4
    assert by_name["views"].tolist() == [4] * 4
    assert by_name["views_of_last"].tolist() == [3] * 4
    assert sorted(by_name["seen_place"].tolist()) == [0, 1, 99, 99]
    assert sorted(by_name["seen_views"].tolist()) == [0, 0, 1, 3]
    assert by_name["place"].tolist() == [0, 1, 2, 3]
    assert by_name["blend_of_best"][0] == by_name["alike_of_best"].max() == 1
    assert set(by_name["same_category"].tolist()) == {-1}
    assert np.isfinite(rows).all()
