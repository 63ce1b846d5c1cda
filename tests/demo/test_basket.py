from decimal import Decimal

from demo.basket import MAX_QUANTITY, Line, added, lines, removed, shipping, total
from demo.catalogue import BY_ID


def test_adding_the_same_product_raises_its_quantity() -> None:
    assert added({"PEN-1": 1}, "PEN-1", 2) == {"PEN-1": 3}


def test_quantity_stays_within_its_bounds() -> None:
    assert added({"PEN-1": 8}, "PEN-1", 5) == {"PEN-1": MAX_QUANTITY}
    assert added({}, "PEN-1", -3) == {"PEN-1": 1}


def test_adding_leaves_the_old_cart_alone() -> None:
    cart = {"PEN-1": 1}
    added(cart, "INK-1", 1)
    assert cart == {"PEN-1": 1}


def test_removed_product_is_gone() -> None:
    assert removed({"PEN-1": 2, "INK-1": 1}, "PEN-1") == {"INK-1": 1}
    assert removed({"INK-1": 1}, "PEN-1") == {"INK-1": 1}


def test_some_of_a_product_can_be_removed() -> None:
    assert removed({"PEN-1": 3, "INK-1": 1}, "PEN-1", 2) == {"PEN-1": 1, "INK-1": 1}
    assert removed({"PEN-1": 3}, "PEN-1", 5) == {}


def test_total_is_exact() -> None:
    assert total({"LAMP-1": 3, "BULB-1": 1}) == Decimal("129.60")
    assert total({}) == 0


def test_products_that_left_the_catalogue_are_left_out() -> None:
    assert lines({"GONE-1": 1, "PEN-1": 2}) == [Line(BY_ID["PEN-1"], 2)]


def test_standard_shipping_is_free_from_50() -> None:
    assert shipping("standard", Decimal("49.99")) == Decimal("4.90")
    assert shipping("standard", Decimal("50.00")) == 0
    assert shipping("express", Decimal("500.00")) == Decimal("9.90")
    assert shipping("pickup", Decimal("1.00")) == 0


def test_unknown_shipping_is_standard() -> None:
    assert shipping("balloon", Decimal(1)) == Decimal("4.90")
