"""The wire's types and money."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.events import CART_CHANGES, EVENT_TYPES, MAX_MONEY, MICROS, NEEDS_ITEMS, from_micros, to_micros


def test_types_are_told_once_and_the_groups_are_of_them() -> None:
    assert len(set(EVENT_TYPES)) == len(EVENT_TYPES) == 28
    assert set(EVENT_TYPES) >= NEEDS_ITEMS | CART_CHANGES


@pytest.mark.parametrize(
    ("amount", "micros"), [("39.9", 39_900_000), ("0.0000005", 0), ("0.0000015", 2), ("0", 0), ("1000000000", 10**15)]
)
def test_money_is_whole_micro_units(amount: str, micros: int) -> None:
    assert to_micros(Decimal(amount)) == micros


@given(st.integers(0, int(MAX_MONEY) * MICROS))
def test_money_comes_back_as_it_went(micros: int) -> None:
    assert to_micros(from_micros(micros)) == micros


@pytest.mark.parametrize(
    ("micros", "text"), [(39_900_000, "39.90"), (5_000_000, "5.00"), (1_234_567, "1.234567"), (0, "0.00")]
)
def test_money_has_two_places_or_as_many_as_it_needs(micros: int, text: str) -> None:
    assert str(from_micros(micros)) == text
