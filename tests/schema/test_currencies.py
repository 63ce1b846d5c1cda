"""The list of currencies."""

import pytest

from schema.currencies import CURRENCIES


@pytest.mark.parametrize("code", ["EUR", "USD", "GBP", "CHF", "JPY", "MXN", "BRL"])
def test_knows_the_currencies_that_shops_take(code: str) -> None:
    assert code in CURRENCIES


@pytest.mark.parametrize("code", ["XXX", "XTS", "XAU", "DEM", "eur", "EU", ""])
def test_takes_no_metals_tests_and_currencies_of_the_past(code: str) -> None:
    assert code not in CURRENCIES


def test_codes_are_three_capital_letters() -> None:
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in CURRENCIES)
    assert 150 < len(CURRENCIES) < 190
