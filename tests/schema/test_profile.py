"""The stored profile, read with its names."""

from decimal import Decimal

import msgspec
import pytest

from schema.profile import Cart, CartLine, decode_profile

FRESH = {"v": 1, "f": 5, "l": 9, "n": 1, "e": 0, "k": [], "p": [], "w": [], "o": [], "t": {"x": "", "m": 0, "y": 0, "i": []}}
LIVE = {"i": "s", "o": 1, "a": 2, "z": 3, "n": 4, "pv": 5, "iv": 6, "ca": 7, "b": 8, "r": [["EUR", 9]], "lu": "u", "lr": "r",
        "q": "s", "g": [["Light", 2]]}  # fmt: skip


def test_a_profile_gets_its_names_back() -> None:
    found = decode_profile(msgspec.msgpack.encode(FRESH | {"s": LIVE, "c": "anna", "k": [["anna", 7]]}))
    assert (found.first_seen_at, found.last_seen_at, found.customer_id, found.links[0].since) == (5, 9, "anna", 7)
    session = found.session
    assert session is not None
    assert (session.session_id, session.opened_at, session.started_at, session.ended_at, session.events) == ("s", 1, 2, 3, 4)
    assert (session.page_views, session.item_views, session.cart_adds, session.orders) == (5, 6, 7, 8)
    assert (session.revenue[0].currency, session.categories[0].views) == ("EUR", 2)


def test_nobody_yet_is_nobody() -> None:
    found = decode_profile(msgspec.msgpack.encode(FRESH))
    assert (found.session, found.customer_id, found.cart.pieces, found.cart.value) == (None, None, 0, Decimal(0))


def test_a_cart_is_worth_what_its_priced_lines_are() -> None:
    cart = Cart(
        "EUR", 0, 0, [CartLine("A", 3, 1_990_000, "", ""), CartLine("B", 2, -1, "", ""), CartLine("C", 1, 5, "", "")]
    )
    assert (cart.pieces, cart.value) == (6, Decimal("5.970005"))


@pytest.mark.parametrize("stored", [b"", b"junk", msgspec.msgpack.encode({"v": 1}), msgspec.msgpack.encode([])])
def test_says_when_it_is_no_profile(stored: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_profile(stored)
