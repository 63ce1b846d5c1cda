"""The cart's states and the list's cursor."""

import pytest

from baliza.errors import BadRequest
from personalizer.carts.cart import CartState, Place, cart_state, newest, show_cart
from tests.personalizer.planted import NOW_MS, profile

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("cart", "idle_ms", "last_purchase_ms", "state"),
    [
        (["lamp"], 0, None, CartState.OPEN),
        (["lamp"], HOUR_MS - 1, None, CartState.OPEN),
        (["lamp"], HOUR_MS, None, CartState.ABANDONED),
        (["lamp"], 9 * HOUR_MS, NOW_MS - 10 * HOUR_MS, CartState.ABANDONED),  # bought before the cart changed
        (["lamp"], 9 * HOUR_MS, NOW_MS - 9 * HOUR_MS, CartState.BOUGHT),
        (["lamp"], 9 * HOUR_MS, NOW_MS, CartState.BOUGHT),
        (["lamp"], 0, NOW_MS, CartState.BOUGHT),
        ([], 9 * HOUR_MS, None, CartState.EMPTY),
    ],
)
def test_state(cart: list[str], idle_ms: int, last_purchase_ms: int | None, state: CartState) -> None:
    who = profile(cart=cart, changed_at=NOW_MS - idle_ms)
    assert cart_state(who, last_purchase_ms, NOW_MS, HOUR_MS) is state


def test_a_cart_that_an_order_emptied_is_bought() -> None:
    assert cart_state(profile(bought=["lamp"], changed_at=NOW_MS), None, NOW_MS, HOUR_MS) is CartState.BOUGHT


def test_a_cart_emptied_after_an_order_is_empty() -> None:
    assert cart_state(profile(bought=["lamp"], changed_at=NOW_MS + 1), None, NOW_MS, HOUR_MS) is CartState.EMPTY


def test_nobody_has_no_cart() -> None:
    assert cart_state(None, None, NOW_MS, HOUR_MS) is CartState.EMPTY


def test_shows_the_cart_with_exact_money() -> None:
    shown = show_cart("v-1", profile(cart=["lamp", "bulb"], customer_id="c-1"), NOW_MS, NOW_MS + 90_500)
    assert (shown.visitor_id, shown.customer_id, shown.currency, str(shown.value), shown.pieces) == (
        "v-1", "c-1", "EUR", "159.60", 4,
    )  # fmt: skip
    assert (shown.idle_s, shown.changed_at.isoformat()) == (90, "2026-11-21T12:00:00+00:00")
    assert [(line.item_id, line.quantity, str(line.price)) for line in shown.lines] == [
        ("lamp", 2, "39.90"),
        ("bulb", 2, "39.90"),
    ]


def test_a_price_that_nobody_said_is_unknown() -> None:
    who = profile(cart=["lamp"])
    who.cart.lines[0].price_micros = -1
    assert show_cart("v-1", who, None, NOW_MS).lines[0].price is None


@pytest.mark.parametrize("place", [Place(0, "v"), Place(NOW_MS, "v-1:ü/+="), Place(1, "x" * 100)])
def test_a_cursor_leads_back_to_its_place(place: Place) -> None:
    assert Place.of_cursor(place.cursor()) == place


@pytest.mark.parametrize("cursor", ["", "?", "bm90IGpzb24", "WzEsMl0", "ü", "W" * 500])
def test_a_cursor_of_nobodys_is_refused(cursor: str) -> None:
    with pytest.raises(BadRequest, match="cursor: expected the `next` of an earlier answer"):
        Place.of_cursor(cursor)


def test_the_newest_come_first_and_ties_have_an_order() -> None:
    places = [Place(1, "a"), Place(3, "a"), Place(3, "b"), Place(2, "z")]
    assert newest(places, 3) == [Place(3, "b"), Place(3, "a"), Place(2, "z")]
