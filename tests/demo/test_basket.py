from decimal import Decimal

from demo.basket import MAX_QUANTITY, Line, added, lines, removed, total
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


def test_total_is_exact() -> None:
    assert total({"LAMP-1": 3, "BULB-1": 1}) == Decimal("129.60")
    assert total({}) == 0


def test_products_that_left_the_catalogue_are_left_out() -> None:
    assert lines({"GONE-1": 1, "PEN-1": 2}) == [Line(BY_ID["PEN-1"], 2)]
