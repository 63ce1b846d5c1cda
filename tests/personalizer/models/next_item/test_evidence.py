"""Sums over sessions and steps, computed by hand."""

import numpy as np
import pytest

from personalizer.models.behaviour import CART
from personalizer.models.next_item import Visit
from personalizer.models.next_item.base import build_base
from personalizer.models.next_item.calibration import uncalibrated
from personalizer.models.next_item.compiled import warm
from personalizer.models.next_item.evidence import CHANNELS, Knobs
from personalizer.models.next_item.ranking import new_room, rank
from personalizer.models.next_item.trees import no_trees
from personalizer.models.next_item.visit import POPULAR
from tests.personalizer.models.next_item.test_index import behaviour

KNOBS = Knobs(place=1.0, age=0.0, length=0.0, distance=1.0, before=0.5)
Sums = dict[int, dict[str, float]]


def sums(visit: Visit, *sessions: list[int], knobs: Knobs = KNOBS, n_items: int = 6) -> Sums:
    """What speaks for each item, by item and channel; `because` is an item."""
    warm()
    base = build_base(behaviour(*sessions), n_items, None, 1)
    whole = new_room(n_items)
    size = rank(*base, knobs, no_trees(), uncalibrated(), visit.items, visit.kinds, visit.counts, whole, 200)
    room = whole.scratch
    used = int((whole.found.source[:size] != POPULAR).sum())
    assert (room.slot == -1).all()
    assert np.isfinite(room.keys[:used]).all()
    return {
        int(room.items[slot]): {
            **{name: round(float(room.sums[slot, at]), 4) for at, name in enumerate(CHANNELS)},
            "because": int(room.items[room.because[slot]]) if room.because[slot] >= 0 else -1,
        }
        for slot in range(used)
    }


def test_sessions_like_the_visit_speak_for_their_items() -> None:
    # The visit is 0, 1: item 1 weighs 1, item 0 a half. The first session holds both, the second item 0 alone.
    found = sums(Visit.of([0, 1]), [0, 1, 2], [3, 0, 4])
    assert found[2]["alike"] == pytest.approx(1.5 / 2)  # one step after the match, item 1
    assert found[1]["alike"] == pytest.approx(1.5)
    assert found[0]["alike"] == pytest.approx(1.5 / 2 * 0.5 + 0.5)  # before the match in one, the match in the other
    assert found[3]["alike"] == pytest.approx(0.5 / 2 * 0.5)
    assert (found[2]["alike_after"], found[4]["alike_after"], found[3]["alike_after"]) == (1.5, 0.5, 0.0)
    assert (found[0]["alike_sessions"], found[0]["alike_best"], found[0]["alike_plain"]) == (2, 1.5, 2.0)
    assert (found[2]["because"], found[4]["because"]) == (1, 0)
    assert 5 not in found


def test_steps_of_the_last_item_stand_apart_from_those_of_all() -> None:
    found = sums(Visit.of([0, 1]), [0, 1, 2], [3, 0, 4])
    assert (found[2]["forward_last"], found[4]["forward_last"]) == (1.0, 0.0)
    assert found[4]["forward_all"] == pytest.approx(0.5 * 0.5)  # one of the two sessions of 0, which weighs a half
    assert found[2]["forward_all"] == pytest.approx(1 + 0.5 * 0.25)
    assert found[3]["backward_all"] == pytest.approx(0.5 * 0.5)


def test_only_what_comes_right_after_the_last_item_is_adjacent() -> None:
    found = sums(Visit.of([0, 1]), [0, 1, 2, 3], [1, 3], [0, 4], [5, 1])
    # Two steps lead away from 1, to 2 and to 3, and three more are taken to have led elsewhere.
    assert {item: of["adjacent_last"] for item, of in found.items()} == {0: 0, 1: 0, 2: 0.2, 3: 0.2, 4: 0, 5: 0}
    assert sums(Visit.of([1, 0]), [0, 1, 2, 3], [1, 3], [0, 4], [5, 1])[4]["adjacent_last"] == 0.2


def test_newer_sessions_weigh_more_and_long_ones_less() -> None:
    aged = sums(Visit.of([0]), [0, 1], [0, 2], knobs=KNOBS._replace(age=2.0, distance=0.0))
    assert aged[1]["alike"] == pytest.approx(np.exp(-2 * 0.5), abs=1e-4)
    assert aged[2]["alike"] == pytest.approx(1.0)
    long = sums(Visit.of([0]), [0, 1, 2, 3], knobs=KNOBS._replace(length=0.5, distance=0.0))
    assert long[3]["alike"] == pytest.approx(0.5)


def test_only_the_newest_matching_sessions_count() -> None:
    found = sums(Visit.of([0]), [0, 1], [0, 2], [3, 4], knobs=KNOBS._replace(most_sessions=1))
    assert (found[1]["alike"], found[2]["alike"]) == (0.0, 0.5)


def test_what_lies_in_the_cart_weighs_as_the_knob_says() -> None:
    knobs = KNOBS._replace(cart=3.0)
    found = sums(Visit.of([0, 1], [CART, 0]), [0, 2], [1, 3], knobs=knobs)
    assert (found[2]["alike"], found[3]["alike"]) == (pytest.approx(3 * 0.5 / 2), 0.5)


def test_the_profile_and_the_log_of_a_visit_say_the_same() -> None:
    sessions = ([0, 1, 2], [1, 3], [0, 3])
    assert sums(Visit.of([0, 1, 0, 0]), *sessions) == sums(Visit.of([1, 0], counts=[1, 3]), *sessions)


def test_unknown_items_are_passed_over() -> None:
    sessions = ([0, 1, 2], [1, 3])
    assert sums(Visit.of([-1, 0, 99]), *sessions) == sums(Visit.of([0]), *sessions)
    assert sums(Visit.of([-1]), *sessions) == sums(Visit.of([]), *sessions) == {}
