"""What tests of the live profile say and look at: short names for events, and the profile as it lies in the store."""

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest

from schema import keys
from schema.profile import VisitorProfile, decode_profile
from tests.support.collecting import START, Shop, event
from tracker.rows import opened

MINUTE, HOUR, DAY = 60, 3600, 86_400
PARTITIONS = 8
NUMBERS = itertools.count()


@pytest.fixture
def live(shop: Shop) -> Shop:
    """The demo site, two days after START: what tests send lies in the past."""
    shop.now = START + timedelta(days=2)
    return shop


def key_of(visitor: str = "v-1", kind: Any = keys.visitor) -> str:
    found: str = kind(keys.partition_of(visitor, PARTITIONS), "demo", visitor)
    return found


def zset_of(kind: Any, visitor: str = "v-1") -> str:
    found: str = kind(keys.partition_of(visitor, PARTITIONS), "demo")
    return found


def profile(shop: Shop, visitor: str = "v-1") -> VisitorProfile:
    stored = shop.redis.get(key_of(visitor))
    assert stored is not None
    return decode_profile(stored)


def cart(shop: Shop, visitor: str = "v-1") -> dict[str, int]:
    return {line.item_id: line.quantity for line in profile(shop, visitor).cart.lines}


def in_carts(shop: Shop, visitor: str = "v-1") -> datetime | None:
    """When the visitor's cart changed, as the list of carts has it."""
    score = shop.redis.zscore(zset_of(keys.carts, visitor), visitor)
    return None if score is None else datetime.fromtimestamp(score / 1000, START.tzinfo)


def recorded(shop: Shop) -> list[tuple[int, str, str, str]]:
    """(time, visitor, event id, session) of everything in the streams, by time."""
    entries = (entry for n in range(PARTITIONS) for _, entry in shop.redis.xrange(keys.events(n)))
    return sorted(
        (outcome.at_ms, context.visitor_id, each.event_id, outcome.session_id)
        for entry in entries
        for each, outcome, context in opened(entry)
    )


def sessions(shop: Shop, visitor: str = "v-1") -> list[list[str]]:
    """The event ids of each session, in the order of time."""
    found: dict[str, list[str]] = {}
    for _, who, event_id, session in recorded(shop):
        if who == visitor:
            found.setdefault(session, []).append(event_id)
    return list(found.values())


def dropped(answer: Any) -> str:
    return dict(answer.headers).get("X-Baliza-Dropped", "")


def view(at: float, **fields: Any) -> dict[str, Any]:
    return event("page_view", at, **{"event_id": f"at-{at:.10g}"} | fields)


def look(at: float, item: str = "A", category: str = "Light", **fields: Any) -> dict[str, Any]:
    return event("view_item", at, items=[(item, category, 10)], **fields)


def add(at: float, item: str = "A", quantity: int = 1, kind: str = "add_to_cart", **fields: Any) -> dict[str, Any]:
    return event(kind, at, items=[(item, "Light", 10, quantity)], **fields)


def remove(at: float, item: str = "A", quantity: int = 1) -> dict[str, Any]:
    return add(at, item, quantity, "remove_from_cart")


def sync(at: float, **quantities: int) -> dict[str, Any]:
    return event("sync_cart", at, items=[(item, "Light", 10, quantity) for item, quantity in quantities.items()])


def offer(at: float, *items: str, kind: str = "shown", **fields: Any) -> dict[str, Any]:
    return event(f"offer_{kind}", at, items=items, decision_id="d-1", response_code="RC-1", **fields)


def buy(at: float, item: str = "A", quantity: int = 1, **fields: Any) -> dict[str, Any]:
    return add(at, item, quantity, "purchase", **{"value": 10, "currency": "EUR"} | fields)
