"""Rows of reports from what the history answers."""

from datetime import timedelta
from decimal import Decimal

import pytest

from console.rows import plain, story_events
from tests.support.rows import NOON, event_row


@pytest.mark.parametrize(
    ("amount", "written"),
    [("39.900000", "39.90"), ("0", "0.00"), ("1234567.5", "1234567.50"), ("0.123456", "0.123456"), ("100.000000", "100.00")],
)
def test_money_has_two_places_or_what_it_needs(amount: str, written: str) -> None:
    assert plain(Decimal(amount)) == written


def test_events_tell_gaps_items_and_cart() -> None:
    first = event_row(occurred_at=NOON)
    second = event_row(
        occurred_at=NOON + timedelta(seconds=95), items=[("LAMP-1", "Light", "39.9", 2), ("GIFT", "", 0, 1)],
        cart_pieces=3, cart_value=Decimal("79.8"),
    )  # fmt: skip
    events = story_events([first, second])
    assert [event.gap_s for event in events] == [0, 95]
    lines = [(item.item_id, item.price, item.quantity) for item in events[1].items]
    assert lines == [("LAMP-1", "39.90", 2), ("GIFT", None, 1)]
    assert (events[1].cart_pieces, events[1].cart_value) == (3, "79.80")


def test_no_events_make_no_story() -> None:
    assert story_events([]) == []
