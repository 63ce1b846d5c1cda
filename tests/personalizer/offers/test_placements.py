"""What placements are for."""

import pytest

from personalizer.offers.placements import BUY, INFORM, rules_of
from personalizer.offers.situation import Reason


@pytest.mark.parametrize("name", ["home", "home-hero", "landing-spring", "email", "account"])
def test_what_was_left_in_the_cart_is_welcome_at_the_entrance(name: str) -> None:
    assert Reason.ABANDONED_CART not in rules_of(name).never


@pytest.mark.parametrize("name", ["cart", "cart-below", "checkout", "product-detail", "default", "anything", "homepage"])
def test_and_nowhere_else(name: str) -> None:
    assert Reason.ABANDONED_CART in rules_of(name).never


@pytest.mark.parametrize("name", ["cart", "checkout-side"])
def test_at_the_till_there_is_nothing_to_read_and_people_buy(name: str) -> None:
    assert Reason.EDITORIAL in rules_of(name).never
    assert rules_of(name).to_buy


def test_who_buys_wants_what_completes_it_and_who_informs_themselves_wants_alternatives() -> None:
    assert BUY[Reason.BOUGHT_TOGETHER] > 1 > BUY[Reason.VIEWED_TOGETHER]
    assert INFORM[Reason.VIEWED_TOGETHER] > 1 > INFORM[Reason.BOUGHT_TOGETHER]
    assert INFORM[Reason.EDITORIAL] > 1 > BUY[Reason.EDITORIAL]
