"""Looked at, not bought."""

from personalizer.candidates.viewed import viewed_not_bought
from personalizer.situation import Reason, Situation, Viewed
from tests.personalizer.planted import planted_model

MODEL = planted_model()


def items(*viewed: Viewed, bought: frozenset[int] = frozenset(), most: int = 10) -> list[int]:
    return [found.item for found in viewed_not_bought(MODEL, Situation("home", viewed=viewed, bought=bought), most)]


def test_what_was_bought_is_left_out() -> None:
    assert items(Viewed(1, 1, 0), Viewed(2, 1, 0), bought=frozenset({1})) == [2]


def test_more_and_later_looks_stand_higher() -> None:
    assert items(Viewed(1, 1, 60), Viewed(2, 5, 60), Viewed(3, 5, 10 * 86_400)) == [2, 1, 3]


def test_gives_no_more_than_asked() -> None:
    assert items(Viewed(1, 1, 0), Viewed(2, 1, 0), most=1) == [1]


def test_scores_by_hand() -> None:
    found = viewed_not_bought(MODEL, Situation("home", viewed=(Viewed(1, 2, 86_400),)), 5)
    assert (found[0].score, found[0].reason) == (0.375, Reason.VIEWED_NOT_BOUGHT)  # (1 - 1/4) / 2
