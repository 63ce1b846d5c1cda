import json
import random
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from demo.catalogue import BY_ID, PRODUCTS
from demo.people import Source, new_shopper
from demo.walks import Step, history, instant, to_the_till, walk
from schema.events import Batch

NOW = datetime(2026, 11, 21, 10, 0, 5, 120_000, tzinfo=UTC)
PERSON = replace(new_shopper(random.Random(3)), is_bot=False, tastes=("light",), eagerness=0.9, customer_id="c-1")


def walks(count: int) -> list[list[Step]]:
    return [list(walk(PERSON, PRODUCTS, random.Random(seed), NOW)) for seed in range(count)]


def types(steps: list[Step]) -> list[Any]:
    return [step.event["type"] for step in steps]


def test_walk_is_what_the_server_decodes() -> None:
    for steps in walks(40):
        body = {"visitor": PERSON.visitor_id, "sent_at": instant(NOW), "events": [step.event for step in steps]}
        assert len(msgspec.json.decode(json.dumps(body), type=Batch).events) == len(steps)


def test_same_chance_gives_the_same_walk() -> None:
    assert list(walk(PERSON, PRODUCTS, random.Random(5), NOW)) == list(walk(PERSON, PRODUCTS, random.Random(5), NOW))


def test_events_follow_each_other_by_their_pauses() -> None:
    for steps in walks(20):
        moment = NOW
        for step in steps:
            moment += timedelta(seconds=step.pause_s)
            assert step.event["occurred_at"] == instant(moment)


def test_some_bounce_some_leave_a_cart_and_some_buy() -> None:
    kinds = [types(steps) for steps in walks(200)]
    assert any(len(kind) <= 2 for kind in kinds)
    assert any("add_to_cart" in kind and "purchase" not in kind for kind in kinds)
    assert any("begin_checkout" in kind and "purchase" not in kind for kind in kinds)
    assert any("purchase" in kind for kind in kinds)
    assert any("search" in kind for kind in kinds)


def test_purchase_has_what_was_put_in_and_not_taken_out() -> None:
    bought = 0
    for steps in walks(200):
        cart: Counter[str] = Counter()
        for step in steps:
            sign = {"add_to_cart": 1, "remove_from_cart": -1}.get(str(step.event["type"]), 0)
            items: Any = step.event.get("items", [])
            for item in items:
                cart[item["item_id"]] += sign * item["quantity"]
            if step.event["type"] == "purchase":
                bought += 1
                assert {item["item_id"]: item["quantity"] for item in items} == dict(+cart)
    assert bought > 20


def test_landing_page_carries_campaign_and_referrer() -> None:
    source = Source("https://l.example/", (("utm_source", "news"),))
    first = next(iter(walk(replace(PERSON, source=source), PRODUCTS, random.Random(1), NOW)))
    page: Any = first.event["page"]
    assert page["url"].endswith("?utm_source=news")
    assert page["referrer"] == "https://l.example/"


def test_customer_is_named_after_log_in_only() -> None:
    steps = next(steps for steps in walks(50) if "login" in types(steps))
    at = types(steps).index("login")
    assert {step.event.get("customer_id") for step in steps[:at]} == {None}
    assert {step.event.get("customer_id") for step in steps[at:]} == {"c-1"}


def test_robot_looks_fast_and_buys_nothing() -> None:
    steps = list(walk(replace(PERSON, is_bot=True), PRODUCTS, random.Random(1), NOW))
    assert set(types(steps)) == {"page_view", "view_item"}
    assert max(step.pause_s for step in steps) <= 1


def test_tastes_show_in_what_is_viewed() -> None:
    seen = Counter(BY_ID[item].category for steps in walks(60) for item in viewed(steps))
    assert seen["light"] > 0.7 * seen.total()


def test_companions_are_bought_together() -> None:
    visits = [set(ids) for steps in walks(300) if (ids := bought(steps))]
    with_lamp = [ids for ids in visits if ids & {"LAMP-1", "LAMP-2", "LAMP-3"}]
    without = [ids for ids in visits if not ids & {"LAMP-1", "LAMP-2", "LAMP-3"}]
    share = sum("BULB-1" in ids for ids in with_lamp) / len(with_lamp)
    assert len(with_lamp) > 20
    assert len(without) > 0
    assert share > 0.25


def viewed(steps: list[Step]) -> list[str]:
    return items_of(steps, "view_item")


def bought(steps: list[Step]) -> list[str]:
    return items_of(steps, "purchase")


def items_of(steps: list[Step], kind: str) -> list[str]:
    found: list[str] = []
    for step in steps:
        items: Any = step.event.get("items", [])
        found += [item["item_id"] for item in items] if step.event["type"] == kind else []
    return found


def test_history_is_past_ordered_and_decodable() -> None:
    batches = list(history(28, 120, random.Random(2), NOW))
    moments: list[datetime] = []
    for batch in batches:
        decoded = msgspec.json.decode(json.dumps(batch.body), type=Batch)
        assert decoded.key is msgspec.UNSET
        assert decoded.sent_at == NOW
        moments += [decoded.events[0].occurred_at]
        assert all(NOW - timedelta(days=29) < event.occurred_at < NOW for event in decoded.events)
    assert moments == sorted(moments)
    assert moments[0] < NOW - timedelta(days=20)


def test_history_has_no_id_twice() -> None:
    ids = Counter(event["event_id"] for batch in history(7, 200, random.Random(2), NOW) for event in events_of(batch.body))
    assert set(ids.values()) == {1}


def events_of(body: Any) -> list[Any]:
    return list(body["events"])


def test_a_months_history_is_made_in_five_seconds() -> None:
    begun = time.process_time()
    batches = list(history(28, 800, random.Random(1), NOW))
    assert time.process_time() - begun < 5
    assert 1300 <= len(batches) <= 1700
    orders = sum(event["type"] == "purchase" for batch in batches for event in events_of(batch.body))
    assert 60 <= orders <= 250


def test_history_of_one_day_stays_within_it() -> None:
    for batch in history(1, 100, random.Random(4), NOW):
        first = events_of(batch.body)[0]["occurred_at"]
        assert instant(NOW - timedelta(days=1)) <= first < instant(NOW)


def test_banner_is_seen_at_the_window_and_followed_after_taste() -> None:
    def followed(tastes: tuple[str, ...]) -> float:
        kinds = [
            types(list(walk(replace(PERSON, tastes=tastes), PRODUCTS, random.Random(seed), NOW))) for seed in range(400)
        ]
        shown = [kind for kind in kinds if "view_promotion" in kind]
        assert all(kind[:2] == ["page_view", "view_promotion"] for kind in shown)
        assert all(kind.index("faro_view") < kind.index("faro_click") for kind in shown if "faro_click" in kind)
        return sum("select_promotion" in kind for kind in shown) / len(shown)

    assert followed(("light",)) > 3 * followed(("desk",)) > 0


def test_what_comes_into_the_cart_from_outside_is_bought_with_the_rest() -> None:
    orders = 0
    for seed in range(100):
        cart = {"PEN-1": 1}
        steps = list(walk(PERSON, PRODUCTS, random.Random(seed), NOW, cart))
        if "purchase" in types(steps):
            orders += 1
            assert cart == {}
            removed = set(items_of(steps, "remove_from_cart"))
            assert "PEN-1" in {*bought(steps), *removed}
    assert orders > 10


def test_late_cart_goes_to_the_till() -> None:
    ends = []
    for seed in range(60):
        steps = list(to_the_till(PERSON, PRODUCTS, random.Random(seed), NOW, {"PEN-1": 1}))
        assert types(steps)[:2] == ["page_view", "view_cart"]
        ends.append(types(steps)[-1])
    assert {"view_cart", "begin_checkout", "purchase"} <= set(ends)
