"""What is bought again, and after how long."""

import math

import numpy as np
import pytest

from personalizer.models.habits import SURE, Habits, Repeat, learn_habits

DAY = 86_400.0
# Items 0 to 2 are of category 0, 3 is of category 1.
CATEGORIES = np.array([0, 0, 0, 1], np.int32)
UNSAID = np.full(4, -1, np.int8)
VIEWS = np.arange(4, dtype=np.float32)


def rebuy(*repeats: Repeat, consumable: "np.ndarray[tuple[int], np.dtype[np.int8]]" = UNSAID) -> list[float]:
    return [float(each) / DAY for each in learn_habits(repeats, CATEGORIES, consumable, VIEWS).rebuy_s]


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
    habits = learn_habits([Repeat(0, 50, 20, DAY)], CATEGORIES, UNSAID, VIEWS)
    again = Habits.of_arrays({f"habits.{name}": array for name, array in habits.arrays().items()}, "habits.")
    assert again is not None
    assert again.sound(4)
    assert not again.sound(5)
    assert again.rebuy_s[0] == np.float32(DAY)
    assert Habits.of_arrays({}, "habits.") is None
