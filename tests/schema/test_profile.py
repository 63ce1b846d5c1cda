"""The stored profile, read with its names."""

from decimal import Decimal

import msgspec
import pytest

from schema.profile import VIEWED_ROW, Cart, CartLine, ViewedItem, decode_profile
from tests.support.profiles import stored_profile

TIMES = {"first_seen_at": 5, "last_seen_at": 9, "sessions": 1}
LIVE = {"opened_at": 1, "started_at": 2, "ended_at": 3, "events": 4, "page_views": 5, "item_views": 6, "cart_adds": 7,
        "orders_in_session": 8}  # fmt: skip


def test_a_profile_gets_its_names_back() -> None:
    stored = stored_profile(
        TIMES | LIVE, customer_id="anna", links=[["anna", 7]], session_id="s", landing="ü\0r",
        search_term="q", revenue=[["EUR", 9]], categories="\0cLight\0n2\0cBeds\0n1", past=[["p", 1, 2, 3]],
    )  # fmt: skip
    found = decode_profile(stored)
    assert (found.first_seen_at, found.last_seen_at, found.customer_id, found.links[0].since) == (5, 9, "anna", 7)
    assert (found.sessions, found.past[0].ended_at) == (1, 3)
    session = found.session
    assert session is not None
    assert (session.session_id, session.opened_at, session.started_at, session.ended_at, session.events) == ("s", 1, 2, 3, 4)
    assert (session.page_views, session.item_views, session.cart_adds, session.orders) == (5, 6, 7, 8)
    assert (session.landing_url, session.referrer, session.search_term) == ("ü", "r", "q")
    assert session.revenue[0].currency == "EUR"
    assert [(each.category, each.views) for each in session.categories] == [("Light", 2), ("Beds", 1)]


@pytest.mark.parametrize("length", [0, 1, 300])
def test_viewed_items_of_any_length_are_read(length: int) -> None:
    name = "n" * length
    rows = [VIEWED_ROW.format(item, "Light", name, "EUR", 39_900_000, 1_700_000_000_000) + "3" for item in "AB"]
    found = [ViewedItem(item, "Light", name, 3, 1_700_000_000_000, 39_900_000, "EUR") for item in "AB"]
    assert decode_profile(stored_profile(viewed="".join(rows))).viewed == found


def test_nobody_yet_is_nobody() -> None:
    found = decode_profile(stored_profile(TIMES))
    assert (found.session, found.customer_id, found.cart.pieces, found.cart.value) == (None, None, 0, Decimal(0))


def test_a_cart_is_worth_what_its_priced_lines_are() -> None:
    cart = Cart(
        "EUR", 0, 0, [CartLine("A", 3, 1_990_000, "", ""), CartLine("B", 2, -1, "", ""), CartLine("C", 1, 5, "", "")]
    )
    assert (cart.pieces, cart.value) == (6, Decimal("5.970005"))


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"junk",
        msgspec.msgpack.encode({"v": 1}),
        b"\x01" + stored_profile()[1:],
        stored_profile()[:-1],
        stored_profile(links=[7]),
        stored_profile() + b"more",
        stored_profile(session_id="s", categories="Light"),
        stored_profile(session_id="s", categories="\0cLight\0n"),
        stored_profile(viewed="\0iA\0cLight"),
        stored_profile(customer_id="anna")[:-60] + b"\xff" * 60,
        stored_profile({"events": float("nan")}),
        stored_profile({"events": float("inf")}),
    ],
)
def test_says_when_it_is_no_profile(stored: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_profile(stored)
