"""What is decoded at a glance is what beacon.py makes of it, and what it would not take is left to it."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.events import to_micros
from tests.support.collecting import START, event
from tests.support.generated import SENDINGS, Sending
from tracker.beacon import decode
from tracker.checks import TimeWindow
from tracker.plain import decode_plain

NOW_MS = int(START.timestamp() * 1000) + 60_000
WINDOW = TimeWindow(NOW_MS, 72 * 3_600_000, 300_000)


def batch(*events: Any, **more: Any) -> bytes:
    return json.dumps({"key": "pk_demo", "visitor": "v-1", "events": events} | more).encode()


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(SENDINGS.filter(lambda sending: not sending.is_pixel))
def test_what_is_plain_is_decoded_as_everything_is(sending: Sending) -> None:
    body = sending.bytes(0)
    plain = decode_plain(body, WINDOW)
    if plain is None:
        return
    sound = decode(body, WINDOW)
    assert (plain.key, plain.visitor, plain.times_ms, plain.body) == (sound.key, sound.visitor, sound.times_ms, body)
    assert not sound.rejected
    for ours, theirs in zip(plain.events, sound.events, strict=True):
        assert (ours.event_id, ours.currency, ours.page) == (theirs.event_id, theirs.currency, theirs.page)
        priced = [(item.price and to_micros(item.price), item.quantity) for item in ours.items]
        assert priced == [(item.price and to_micros(item.price), item.quantity) for item in theirs.items]


@settings(deadline=None)
@given(st.decimals(min_value=0, max_value=1_000_000_000, places=6) | st.decimals(min_value=0, max_value=1000, places=9))
def test_an_amount_is_the_same_number_of_micro_units(price: Decimal) -> None:
    body = batch(event("view_item", item=("A", "", 0))).replace(b'"price": 0', b'"price": %b' % str(price).encode())
    plain = decode_plain(body, WINDOW)
    if plain is not None:
        assert to_micros(plain.events[0].items[0].price or 0) == to_micros(price)
    else:
        assert price * 1_000_000 != to_micros(price) or price > 1_000_000  # what a float cannot tell is not guessed


@pytest.mark.parametrize(
    "other",
    [
        event("purchase", item="A"),
        event("view_item"),
        event("faro_view"),
        event("consent", consent="granted"),
        event(value=5.0),
        event(value=5.0, currency="EUX"),
        event(value="5.0", currency="EUR"),
        event(value=-1, currency="EUR"),
        event(tax=1.0, currency="EUR"),
        event(search_term="a\0"),
        event("view_item", item="A") | {"items": [{"item_id": "A", "discount": 1}]},
        event("view_item", item=("A", "", 0.1234567)),
        event(at=3600.0),
        event(at=-4 * 86_400.0),
    ],
    ids=lambda other: f"{other['type']}-{len(other)}",
)
def test_what_is_out_of_the_ordinary_is_left_to_others(other: dict[str, Any]) -> None:
    assert decode_plain(batch(event(), other), WINDOW) is None


def test_items_may_have_what_nobody_knows() -> None:
    plain = decode_plain(
        batch(event("view_item", item="A") | {"items": [{"item_id": "A", "price": 39.9, "size": "XL"}]}), WINDOW
    )
    assert plain is not None
    assert to_micros(plain.events[0].items[0].price or 0) == 39_900_000
