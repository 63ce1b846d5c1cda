"""The profile that training makes of the history is the one that was live: the same events through the real collector."""

import random
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from baliza.lease import Lease
from baliza.readiness.features import Features, features_of
from baliza.settings import Settings
from baliza.stores import History
from personalizer.readiness.past import read_past
from personalizer.readiness.replay import PROFILE_LIVES_MS, Past, Visitor
from schema.profile import VisitorProfile
from tests.support.collecting import START, Shop, event
from tests.support.live_profile import profile
from tracker.ingest import Ingest

BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
PAGES = [
    {"url": "http://shop.test/"},
    {"url": "http://shop.test/sale?utm_source=news&utm_medium=email", "referrer": "http://mail.test/"},
    {"url": "http://shop.test/p/lamp?gclid=7", "referrer": "https://www.google.com/"},
    {"url": "http://shop.test/p/rug", "referrer": "https://www.instagram.com/"},
    {"url": "http://shop.test/list", "referrer": "http://shop.test/"},
    {"url": "http://shop.test/p/sofa", "referrer": "https://duckduckgo.com/"},
    {"url": "http://shop.test/p/sofa", "referrer": "https://blog.test/sofas"},
]
KINDS = ["page_view"] * 5 + ["view_item"] * 7 + ["add_to_cart"] * 3 + [
    "remove_from_cart", "sync_cart", "view_cart", "begin_checkout", "search", "view_item_list", "login", "faro_view",
    "purchase", "purchase",
]  # fmt: skip
FEW, MANY = [f"item-{n}" for n in range(5)], [f"item-{n}" for n in range(40)]


def walk(chance: random.Random, events: int) -> Iterator[tuple[float, dict[str, Any]]]:
    """Visits of one person over some days, as (seconds after START, event)."""
    at = chance.uniform(0, 100)
    shelf = chance.choice([FEW, MANY])
    for _ in range(events):
        at += chance.choice([0.001, 1, 7.5, 40, 300, 1500, 1500, 2400, 50_000])
        kind = chance.choice(KINDS)
        given: dict[str, Any] = {"currency": chance.choice(["EUR"] * 9 + ["USD"])}
        if kind not in ("login", "search", "faro_view", "begin_checkout", "view_cart"):
            given["page"] = chance.choice(PAGES)
        if kind in ("view_item", "add_to_cart", "remove_from_cart", "sync_cart", "purchase", "view_item_list"):
            given["items"] = [
                (item, f"category-{hash_of(item) % 30}", round(1 + hash_of(item) / 7, 2), chance.randint(1, 3))
                for item in chance.sample(shelf, chance.choice([1, 1, 1, 3]))
            ]
        if kind == "search":
            given["search_term"] = "lamp"
        if kind == "faro_view":
            given["content"] = {"kind": "ad", "id": "a-1"}
        if kind in ("login", "purchase") and chance.random() < 0.7:
            given["customer_id"] = chance.choice(["anna", "anna", "bert"])
        yield at, event(kind, at, **given)


def hash_of(item: str) -> int:
    return int(item.removeprefix("item-"))


def looked_at(live: VisitorProfile) -> list[Features]:
    """Right after the event, and a while later."""
    session = live.session
    assert session is not None
    return [features_of(live, session, session.ended_at + pause) for pause in (0, 77_000)]


def carry(settings: Settings, shop: Shop, history: History) -> None:
    lease = Lease(shop.redis, "ingest-0", "one", time.monotonic)
    ingest = Ingest(settings, shop.redis, history, lease, "one", lambda: int(time.time() * 1000))
    while ingest.step():
        pass


@pytest.mark.redis
@pytest.mark.clickhouse
def test_features_of_the_history_are_those_of_the_live_profile(shop: Shop, settings: Settings, history: History) -> None:
    live: dict[str, list[list[Features]]] = {}
    for number in range(14):
        visitor = f"v-{number}"
        for at, sent in walk(random.Random(number), 45):
            shop.now = START + timedelta(seconds=at)
            assert shop.send(sent, visitor=visitor, headers=BROWSER).status == 202
            live.setdefault(visitor, []).append(looked_at(profile(shop, visitor)))
    carry(settings, shop, history)

    learned: dict[str, list[list[Features]]] = {}
    visitors: dict[str, Visitor] = {}
    begin = int(START.timestamp() * 1000)
    for past in read_past(history, "demo", begin, begin + PROFILE_LIVES_MS):
        visitor_then = visitors.setdefault(past.visitor_id, Visitor.at(past))
        assert visitor_then.live(past)
        visitor_then.take(past)
        learned.setdefault(past.visitor_id, []).append(looked_at(visitor_then.profile))

    assert learned.keys() == live.keys()
    for who in live:
        for place, (then, now) in enumerate(zip(learned[who], live[who], strict=True)):
            for one, other in zip(then, now, strict=True):
                assert told(one) == told(other), f"{who}, event {place}"
    every = [seen for moments in live.values() for moment in moments for seen in moment]
    constant = {
        name for name, column in zip(Features._fields, zip(*every, strict=True), strict=True) if len(set(column)) == 1
    }
    assert constant == set(), "each feature must have been put to the test"


def told(seen: Features) -> dict[str, float]:
    return {name: float(value) for name, value in seen._asdict().items()}


def past(at_s: float = 0, kind: str = "page_view", session: str = "s-1", **given: Any) -> Past:
    whole: dict[str, Any] = {
        "visitor_id": "v-1", "kind": kind, "at_ms": int(at_s * 1000), "session_id": session, "customer_id": "",
        "page_url": "", "referrer": "", "search_term": "", "cart_pieces": 0, "cart_micros": 0, "items": (),
    }  # fmt: skip
    return Past(**whole | given)


def after(*events: Past) -> Visitor:
    visitor = Visitor.at(events[0])
    for each in events:
        visitor.take(each)
    return visitor


def test_an_event_of_a_session_that_is_over_was_not_seen_live() -> None:
    visitor = after(past(0), past(9000, session="s-2"))
    assert not visitor.live(past(9001))
    assert visitor.live(past(9001, session="s-2"))
    assert visitor.live(past(9001, session="s-3"))


def test_another_person_on_the_same_browser_begins_anew() -> None:
    item = (("A", "Light"),)
    first = past(1, "view_item", customer_id="anna", items=item, cart_pieces=2, cart_micros=5)
    visitor = after(first, past(2, "purchase"), past(3, session="s-2", customer_id="bert"))
    now = visitor.profile
    assert (now.customer_id, now.viewed, now.orders, now.cart.pieces, now.sessions) == ("bert", [], [], 0, 2)
