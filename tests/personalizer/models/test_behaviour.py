"""Sessions as flat arrays."""

from dataclasses import replace

import numpy as np
import pytest

from personalizer.models.behaviour import CART, VIEW, Behaviour


def rows() -> Behaviour:
    return Behaviour.of_rows(
        np.array(["late", "early", "late", "early", "late"]),
        np.array([3, 1, 4, 2, 3]),
        np.array([VIEW, VIEW, CART, VIEW, VIEW]),
        np.array([50, 10, 60, 20, 60]),
    )


def sessions(behaviour: Behaviour) -> list[list[int]]:
    return [part.tolist() for part in np.split(behaviour.items, behaviour.starts[1:-1])]


def test_sessions_come_by_their_last_time_and_rows_by_theirs() -> None:
    found = rows()
    assert sessions(found) == [[1, 2], [3, 4, 3]]
    assert found.kinds.tolist() == [VIEW, VIEW, VIEW, CART, VIEW]
    assert found.times.tolist() == [10, 20, 50, 60, 60]
    assert len(found) == 2
    assert found.ended.tolist() == [20, 60]
    assert found.sound(5)


def test_rows_of_one_second_keep_their_order() -> None:
    found = Behaviour.of_rows(np.array([7, 7, 7]), np.array([2, 0, 1]), None, np.array([5.9, 5.1, 5.5]))
    assert sessions(found) == [[2, 0, 1]]
    assert found.kinds.tolist() == [VIEW] * 3


def test_sessions_that_end_together_stand_as_their_first_rows_do() -> None:
    found = Behaviour.of_rows(np.array([9, 1, 9, 1]), np.array([0, 1, 2, 3]), None, np.array([1, 2, 8, 8]))
    assert sessions(found) == [[0, 2], [1, 3]]


def test_no_rows_are_no_sessions() -> None:
    found = Behaviour.of_rows(np.array([], int), np.array([], int), None, np.array([], int))
    assert len(found) == 0
    assert found.sound(0)
    assert len(found.before(9)) == len(found.since(9)) == 0


def test_parts_by_place_and_by_time() -> None:
    found = rows()
    assert sessions(found.part(1, 2)) == [[3, 4, 3]]
    assert sessions(found.before(60)) == [[1, 2]]
    assert sessions(found.since(60)) == [[3, 4, 3]]
    assert sessions(found.chosen(np.array([1, 0]))) == sessions(found)
    chosen = found.chosen(np.array([False, True]))
    assert (sessions(chosen), chosen.times.tolist(), chosen.sound(5)) == ([[3, 4, 3]], [50, 60, 60], True)


@pytest.mark.parametrize(
    "change",
    [
        {"items": np.array([1, 2, 3, 5, 3], np.int32)},
        {"items": np.array([1, 2, 3, -1, 3], np.int32)},
        {"starts": np.array([0, 3, 2, 5])},
        {"starts": np.array([0, 2, 2, 5])},
        {"starts": np.array([0, 2, 4])},
        {"kinds": np.array([0, 0, 0, 3, 0], np.uint8)},
        {"times": np.array([1])},
    ],
)
def test_broken_arrays_are_not_sound(change: dict[str, np.ndarray]) -> None:
    assert not replace(rows(), **change).sound(5)  # type: ignore[arg-type]
