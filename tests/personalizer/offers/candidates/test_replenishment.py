"""Bought some time ago, due again."""

import math

import pytest

from personalizer.offers.candidates.replenishment import due, rebuy_s, replenishment
from personalizer.offers.situation import Situation
from tests.personalizer.shops import item, shop, told

DAY = 86_400.0
KNOWN = shop([item("beans"), item("oil", consumable=True), item("pot")], rebuy_days={"beans": 30})
BEANS, OIL, POT = range(3)


def test_what_was_learned_stands_before_what_is_guessed() -> None:
    assert rebuy_s(KNOWN, BEANS) == 30 * DAY
    assert rebuy_s(KNOWN, OIL) == 30 * DAY, "the catalogue calls it consumable: a month is guessed"
    assert rebuy_s(KNOWN, POT) is None


@pytest.mark.parametrize(("days", "expected"), [(30, 1.0), (20, 0.0), (1, 0.0)])
def test_due_just_at_the_interval_and_not_before_it(days: float, expected: float) -> None:
    assert due(30 * DAY, days * DAY) == expected


def test_late_is_less_due_by_the_ratio() -> None:
    assert due(30 * DAY, 60 * DAY) == pytest.approx(math.exp(-(math.log(2) ** 2) / 0.32))
    assert due(30 * DAY, 400 * DAY) < 0.001


def test_only_what_is_due_is_offered_again() -> None:
    bought = {BEANS: 31 * DAY, OIL: 2 * DAY, POT: 31 * DAY}
    assert [entry.item for entry in told(replenishment(KNOWN, Situation("home", bought=bought)))] == [BEANS]
