"""What an earlier visit left in the cart."""

from personalizer.offers.candidates.left_in_cart import left_in_cart
from personalizer.offers.situation import Reason, Situation
from tests.personalizer.shops import planted_shop, told

KNOWN = planted_shop()


def test_the_newest_line_comes_strongest() -> None:
    found = told(left_in_cart(KNOWN, Situation("home", cart=(1, 2), left=True)))
    assert [(entry.item, entry.strength, entry.reason) for entry in found] == [
        (2, 1.0, Reason.ABANDONED_CART),
        (1, 0.9, Reason.ABANDONED_CART),
    ]


def test_after_five_days_half_of_it_is_left() -> None:
    (found,) = told(left_in_cart(KNOWN, Situation("home", cart=(1,), left=True, cart_age_s=5 * 86_400.0)))
    assert found.strength == 0.5


def test_a_cart_of_this_visit_was_not_left() -> None:
    assert left_in_cart(KNOWN, Situation("home", cart=(1, 2))) == []
