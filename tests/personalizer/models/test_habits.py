"""What is bought again, and after how long."""

import math

import numpy as np
import pytest

from personalizer.models.habits import BOTH_SURE, SURE, USUAL, USUAL_VISITS, Habits, Repeat, Taken, learn_rebuy, taken_both

DAY = 86_400.0
# Items 0 to 2 are of category 0, 3 is of category 1.
CATEGORIES = np.array([0, 0, 0, 1], np.int32)
UNSAID = np.full(4, -1, np.int8)
VIEWS = np.arange(4, dtype=np.float32)


def rebuy(*repeats: Repeat, consumable: "np.ndarray[tuple[int], np.dtype[np.int8]]" = UNSAID) -> list[float]:
    return [float(each) / DAY for each in learn_rebuy(repeats, CATEGORIES, consumable)]


def test_what_many_come_back_for_has_an_interval() -> None:
    found = rebuy(Repeat(0, 50, 20, 30 * DAY))
    assert found[0] == pytest.approx(30)
    assert all(math.isnan(each) for each in found[1:])


@pytest.mark.parametrize("rare", [Repeat(0, 5, 2, 30 * DAY), Repeat(0, 1000, 50, 30 * DAY)])
def test_what_few_come_back_for_was_replaced_not_used_up(rare: Repeat) -> None:
    assert math.isnan(rebuy(rare)[0])


def test_few_repeats_lean_on_the_category() -> None:
    found = rebuy(Repeat(0, 500, 400, 30 * DAY), Repeat(1, 10, 5, 60 * DAY))
    own = 5 / (5 + SURE)
    assert found[1] == pytest.approx(math.exp(own * math.log(60) + (1 - own) * math.log(30)), rel=1e-4)


def test_a_consumable_that_nobody_bought_twice_follows_its_category() -> None:
    said = np.array([-1, 1, -1, 1], np.int8)
    found = rebuy(Repeat(0, 500, 400, 30 * DAY), consumable=said)
    assert found[1] == pytest.approx(30)
    assert math.isnan(found[3]), "nothing is known of its category"


def test_what_the_catalogue_calls_lasting_is_not_bought_again() -> None:
    assert math.isnan(rebuy(Repeat(0, 50, 20, 30 * DAY), consumable=np.zeros(4, np.int8))[0])


def test_arrays_come_back() -> None:
    habits = Habits(learn_rebuy([Repeat(0, 50, 20, DAY)], CATEGORIES, UNSAID), VIEWS, np.ones(3, np.float32))
    again = Habits.of_arrays({f"habits.{name}": array for name, array in habits.arrays().items()}, "habits.")
    assert again is not None
    assert again.sound(4, 3)
    assert not again.sound(5, 3)
    assert not again.sound(4, 2)
    assert again.rebuy_s[0] == np.float32(DAY)
    assert Habits.of_arrays({}, "habits.") is None


def seen(*visits: dict[int, bool]) -> Taken:
    """Visits as item → was it taken?"""
    rows = [(number, item, taken) for number, visit in enumerate(visits) for item, taken in visit.items()]
    numbers, items, taken = zip(*rows, strict=True)
    return Taken(np.array(numbers, np.uint64), np.array(items, np.int32), np.array(taken, np.bool_))


def test_who_takes_both_and_who_takes_one_of_them_by_hand() -> None:
    instead, along = {0: True, 1: False}, {0: True, 2: True}
    visits = seen(*[instead] * 6, *[{0: False, 1: True}] * 4, *[along] * 5, {0: False, 1: False}, {0: True})
    starts, others = np.array([0, 2, 3, 4]), np.array([1, 2, 0, 0], np.int32)
    found = taken_both(visits, starts, others)
    # both: 0, 5, 0, 5; visits that saw both and took one: 10, 5, 10, 5; and what is usual.
    mean = (10 + USUAL * USUAL_VISITS) / (30 + USUAL_VISITS)
    assert found[0] == found[2] == pytest.approx((0 + BOTH_SURE * mean) / (10 + BOTH_SURE) / mean)
    assert found[1] == found[3] == pytest.approx((5 + BOTH_SURE * mean) / (5 + BOTH_SURE) / mean)
    assert found[0] < 0.5 < 1 < found[1]


def test_of_pairs_that_nobody_took_nothing_is_known() -> None:
    starts, others = np.array([0, 1, 2]), np.array([1, 0], np.int32)
    assert taken_both(seen({0: False, 1: False}), starts, others).tolist() == [1.0, 1.0]
    nothing = Taken(np.zeros(0, np.uint64), np.zeros(0, np.int32), np.zeros(0, np.bool_))
    assert taken_both(nothing, starts, others).tolist() == [1.0, 1.0]
    assert taken_both(nothing, np.array([0]), np.zeros(0, np.int32)).shape == (0,)
