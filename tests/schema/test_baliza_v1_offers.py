"""Which offers a visitor saw in vain, as the live profile keeps it, on a real live store."""

import pytest

from schema.profile import SeenOffer
from tests.support.collecting import START, Shop, event
from tests.support.live_profile import look, offer, profile

pytestmark = pytest.mark.redis

BEGAN = int(START.timestamp() * 1000)


def seen(shop: Shop, visitor: str = "v-1") -> dict[str, int]:
    """How often each item's offer was seen, the latest last."""
    return {one.item_id: one.times for one in profile(shop, visitor).seen_offers}


def test_counts_every_time_an_offer_is_seen(live: Shop) -> None:
    live.send(offer(0, "A", "B"), look(1, "C"))
    live.send(offer(2, "A"))
    assert seen(live) == {"B": 1, "A": 2}
    assert profile(live).seen_offers[-1] == SeenOffer("A", 2, BEGAN + 2000, 0)
    assert [item.item_id for item in profile(live).viewed] == ["C"]


def test_an_event_that_comes_twice_counts_once(live: Shop) -> None:
    shown = offer(0, "A")
    live.send(shown, shown)
    live.send(shown)
    assert seen(live) == {"A": 1}


def test_a_click_begins_anew(live: Shop) -> None:
    live.send(offer(0, "A", "B"), offer(1, "A", kind="dismissed"), offer(2, "A", kind="clicked"))
    assert seen(live) == {"B": 1}
    live.send(offer(3, "A"))
    assert seen(live) == {"B": 1, "A": 1}


def test_what_is_dismissed_stays_so_until_a_click(live: Shop) -> None:
    live.send(offer(0, "A", kind="dismissed"), offer(1, "A"))
    assert profile(live).seen_offers == [SeenOffer("A", 1, BEGAN + 1000, 1)]
    live.send(offer(2, "A", kind="clicked"))
    assert seen(live) == {}


def test_a_late_event_does_not_turn_time_back(live: Shop) -> None:
    live.send(offer(60, "A"))
    live.send(offer(10, "A"))
    assert profile(live).seen_offers == [SeenOffer("A", 2, BEGAN + 60_000, 0)]


def test_keeps_the_forty_that_were_seen_last(live: Shop) -> None:
    for at in range(50):
        live.send(offer(at, f"I-{at}", "A"))
    found = seen(live)
    assert (len(found), found["A"]) == (40, 50)
    assert [name for name in found if name != "A"] == [f"I-{at}" for at in range(11, 50)]


def test_another_person_on_the_same_browser_has_seen_nothing(live: Shop) -> None:
    live.send(offer(0, "A", customer_id="anna"))
    live.send(event("login", 10, customer_id="bert"), offer(11, "B", customer_id="bert"))
    live.send(offer(5, "A", customer_id="anna"))
    assert seen(live) == {"B": 1}


def test_offers_without_items_say_nothing(live: Shop) -> None:
    live.send(offer(0))
    assert seen(live) == {}
