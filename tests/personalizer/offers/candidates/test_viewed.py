"""Looked at, not bought."""

from personalizer.offers.candidates.viewed import viewed_not_bought
from personalizer.offers.situation import Reason, Situation, Viewed
from tests.personalizer.shops import planted_shop, told

KNOWN = planted_shop()


def items(*viewed: Viewed, **more: object) -> list[int]:
    found = told(viewed_not_bought(KNOWN, Situation("home", viewed=viewed, **more)))  # type: ignore[arg-type]
    return [entry.item for entry in sorted(found, key=lambda entry: -entry.strength)]


def test_what_was_bought_is_left_out() -> None:
    assert items(Viewed(1, 1, 0), Viewed(2, 1, 0), bought={1: 5.0}) == [2]


def test_more_and_later_looks_stand_higher() -> None:
    assert items(Viewed(1, 1, 60), Viewed(2, 5, 60), Viewed(3, 5, 30 * 86_400)) == [2, 1, 3]


def test_strength_by_hand() -> None:
    (found,) = told(viewed_not_bought(KNOWN, Situation("home", viewed=(Viewed(1, 2, 3 * 86_400),))))
    assert (found.strength, found.reason) == (0.375, Reason.VIEWED_NOT_BOUGHT)  # (1 - 1/4) / 2
