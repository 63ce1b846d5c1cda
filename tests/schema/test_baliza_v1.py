"""The live profile as the function library keeps it, on a real live store."""

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.exceptions import ResponseError

from baliza.sites import SiteRegistry
from schema import keys
from schema.profile import VisitorProfile, decode_profile
from tests.support.collecting import START, Shop, event
from tracker.request import Request
from tracker.rows import opened

pytestmark = pytest.mark.redis

MINUTE, HOUR, DAY = 60, 3600, 86_400
PARTITIONS = 8
NUMBERS = itertools.count()
NOT_OURS = {"cmdstat_config|resetstat", "cmdstat_info"}


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


def buy(at: float, item: str = "A", quantity: int = 1, **fields: Any) -> dict[str, Any]:
    return add(at, item, quantity, "purchase", **{"value": 10, "currency": "EUR"} | fields)


# --- how sessions are cut ---


def test_thirty_idle_minutes_are_the_same_session_and_a_millisecond_more_is_not(live: Shop) -> None:
    live.send(view(0), view(30 * MINUTE))
    assert len(sessions(live)) == 1
    live.send(view(60 * MINUTE + 0.001))
    assert [len(events) for events in sessions(live)] == [2, 1]
    assert profile(live).sessions == 2


def test_a_session_lasts_a_day_at_most_however_busy(live: Shop) -> None:
    live.send(*(view(number * 29 * MINUTE) for number in range(50)))
    live.send(view(DAY))
    assert len(sessions(live)) == 1
    live.send(view(DAY + 0.001))
    assert [len(events) for events in sessions(live)] == [51, 1]


def by_hand(log: list[dict[str, Any]]) -> list[list[str]]:
    cut: list[list[tuple[str, datetime]]] = []
    for each in log:
        at = datetime.fromisoformat(each["occurred_at"])
        if not cut or at - cut[-1][-1][1] > timedelta(minutes=30) or at - cut[-1][0][1] > timedelta(days=1):
            cut.append([])
        cut[-1].append((each["event_id"], at))
    return [[event_id for event_id, _ in session] for session in cut]


@pytest.mark.parametrize("seed", range(4))
def test_a_log_gives_the_same_sessions_at_any_speed_and_in_any_order_of_visitors(live: Shop, seed: int) -> None:
    life, speed = random.Random(11), random.Random(seed)
    left: dict[str, list[dict[str, Any]]] = {}
    for visitor in "abc":
        at = 0.0
        for number in range(40):
            at += life.choice([5, 60, 29 * MINUTE, 31 * MINUTE, 3 * HOUR])
            left.setdefault(visitor, []).append(view(at, event_id=f"{visitor}-{number}"))
    live.now = START + timedelta(days=30)
    expected = {visitor: by_hand(log) for visitor, log in left.items()}
    while any(left.values()):
        visitor = speed.choice([name for name, log in left.items() if log])
        size = speed.choice([1, 2, 7, 40])
        batch, left[visitor] = left[visitor][:size], left[visitor][size:]
        live.send_as_server(*speed.sample(batch, len(batch)), visitor=visitor)
    assert {visitor: sessions(live, visitor) for visitor in "abc"} == expected


def test_a_late_event_falls_into_the_live_session_and_may_be_its_landing(live: Shop) -> None:
    live.send(view(10 * MINUTE, page={"url": "http://shop.test/second"}))
    live.send(view(0, page={"url": "http://shop.test/first", "referrer": "http://a.test/"}))
    live.send(event("login", -MINUTE))
    session = profile(live).session
    assert session is not None
    assert (session.events, session.landing_url, session.referrer) == (3, "http://shop.test/first", "http://a.test/")
    assert (session.ended_at - session.started_at) / 1000 == 11 * MINUTE


def test_a_session_lands_where_its_first_page_was(live: Shop) -> None:
    live.send(event("login", 0), view(5, page={"url": "http://shop.test/p"}), view(9, page={"url": "http://shop.test/q"}))
    session = profile(live).session
    assert session is not None
    assert session.landing_url == "http://shop.test/p"


def test_a_late_event_falls_into_the_past_session_it_belongs_to(live: Shop) -> None:
    live.send(view(0), view(60), view(2 * HOUR), view(4 * HOUR))
    live.send(view(2 * HOUR + 60), view(20 * MINUTE), view(45 * MINUTE))  # the last is within 30 min of the one before only
    assert sessions(live) == [["at-0", "at-60", "at-1200", "at-2700"], ["at-7200", "at-7260"], ["at-14400"]]
    assert profile(live).sessions == 3


def test_a_late_event_without_session_makes_its_own_and_gathers_those_near(live: Shop) -> None:
    live.send(view(DAY))
    live.send(view(0))
    live.send(view(10 * MINUTE))
    live.send(view(-10 * MINUTE))
    assert sessions(live) == [["at--600", "at-0", "at-600"], ["at-86400"]]
    assert profile(live).sessions == 2
    session = profile(live).session
    assert session is not None
    assert session.events == 1


def test_a_late_event_does_not_make_a_session_longer_than_a_day(live: Shop) -> None:
    live.send(*(view(number * 29 * MINUTE) for number in range(1, 50)), view(DAY + MINUTE))
    live.send(view(0))
    assert [len(events) for events in sessions(live)] == [1, 50]


def test_a_batch_out_of_order_is_put_in_order(live: Shop) -> None:
    live.send(add(20, "B"), remove(10, "A"), add(0, "A"))
    assert cart(live) == {"B": 1}
    assert [line.item_id for line in profile(live).cart.lines] == ["B"]


def test_log_in_does_not_end_a_session(live: Shop) -> None:
    live.send(look(0), add(5))
    live.send(event("login", 10, customer_id="c-1"), view(20, customer_id="c-1"))
    live.send(view(30))  # logged out
    live.send(event("login", 40, customer_id="c-1"))
    found = profile(live)
    assert len(sessions(live)) == 1
    assert (found.customer_id, [link.customer_id for link in found.links]) == ("c-1", ["c-1"])
    assert (len(found.viewed), cart(live)) == (1, {"A": 1})


# --- the same event twice ---


def test_an_event_counts_once_in_a_batch_and_over_batches(live: Shop) -> None:
    same = add(0)
    assert dropped(live.send(same, same)) == "duplicate"
    assert dropped(live.send(same)) == "duplicate"
    assert dropped(live.send(add(1), same, view(2), same)) == "duplicate"
    assert live.tallies[-1] == {"received": 4, "rejected": 0, "consent": 0, "duplicate": 2, "taken": 2}
    assert cart(live) == {"A": 2}
    assert len(recorded(live)) == 3


def test_the_same_id_of_another_visitor_is_another_event(live: Shop) -> None:
    same = view(0)
    live.send(same)
    assert dropped(live.send(same, visitor="v-2")) == ""


@pytest.mark.parametrize("every", [1, 5, 17, 23.9, 26, 47])
def test_event_ids_are_remembered_for_a_day_at_least_and_three_at_most(live: Shop, every: float) -> None:
    sets = [key_of(kind=kind) for kind in (keys.seen, keys.seen_before)]
    sent: list[tuple[float, dict[str, Any]]] = []
    began = datetime.now(UTC)  # the store's clock ends the sets
    live.now = began
    hours = 0.0
    while hours < 240:
        live.now = began + timedelta(hours=hours)
        sent.append((hours, event(at=live.now)))
        assert dropped(live.send(sent[-1][1])) == ""
        now_ms = int(live.now.timestamp() * 1000)
        for name in sets:  # what the store would have ended by now
            if 0 < live.redis.pexpiretime(name) <= now_ms:
                live.redis.delete(name)
        for at, old in sent[-30:]:
            if hours - at < 24:
                assert dropped(live.send(old)) == "duplicate"
        assert all(live.redis.pexpiretime(name) > now_ms for name in sets if live.redis.exists(name))
        kept = sum(live.redis.scard(name) for name in sets)
        assert kept <= sum(hours - at <= 72 for at, _ in sent)
        hours += every


# --- the cart ---


def test_add_remove_and_more_than_there_is(live: Shop) -> None:
    live.send(add(0, "A", 3), add(1, "B"), remove(2, "A"))
    assert cart(live) == {"A": 2, "B": 1}
    live.send(remove(3, "A", 7), remove(4, "C"))
    assert cart(live) == {"B": 1}
    live.send(add(5, "A"))
    assert cart(live) == {"B": 1, "A": 1}


def test_sync_cart_says_what_is_in_it(live: Shop) -> None:
    live.send(add(0, "A", 3))
    live.send(sync(1, B=2, C=1, D=0))
    assert cart(live) == {"B": 2, "C": 1}
    live.send(event("sync_cart", 2))
    assert cart(live) == {}


def test_a_purchase_empties_the_cart(live: Shop) -> None:
    live.send(add(0, "A", 3), add(1, "B"), buy(2, "A", 3))
    assert cart(live) == {}


def test_an_add_that_arrives_after_its_purchase_is_in_it_already(live: Shop) -> None:
    live.send(buy(10))
    live.send(add(5))
    assert cart(live) == {}
    live.send(add(11, "B"))
    assert cart(live) == {"B": 1}


def test_an_old_state_of_the_cart_is_no_news(live: Shop) -> None:
    live.send(add(0), add(20, "B"))
    live.send(sync(10, A=5))
    assert cart(live) == {"A": 1, "B": 1}


def test_a_late_purchase_takes_out_what_was_bought(live: Shop) -> None:
    live.send(add(0, "A", 2), add(20, "A"), add(30, "B"))
    live.send(buy(10, "A", 2))
    assert cart(live) == {"A": 1, "B": 1}
    live.send(add(5, "C"))
    assert cart(live) == {"A": 1, "B": 1}


def test_a_quantity_of_nothing_changes_nothing(live: Shop) -> None:
    live.send(add(0, "A", 0), add(1, "B", 2), add(2, "B", 0), remove(3, "B", 0))
    assert cart(live) == {"B": 2}


def test_a_cart_has_a_hundred_lines_at_most(live: Shop) -> None:
    live.send(*(add(number, f"item-{number}") for number in range(105)))
    assert len(cart(live)) == 100
    live.send(add(200, "item-3"), add(201, "item-104"))
    assert cart(live)["item-3"] == 2
    assert "item-104" not in cart(live)


def test_prices_and_quantities_stay_in_the_exact_range(live: Shop) -> None:
    dear = [{"item_id": "A", "price": 1_000_000_000, "quantity": 100_000}]
    for number in range(3):
        live.send(event("add_to_cart", number, currency="EUR") | {"items": dear})
    assert cart(live) == {"A": 100_000}
    for number in range(10):
        live.send(buy(10 + number, value=1_000_000_000))
    session = profile(live).session
    assert session is not None
    assert session.revenue[0].value_micros == 9_000_000_000_000_000
    assert len(recorded(live)) == 13


# --- what was viewed and bought ---


def test_viewed_items_are_the_last_twenty_by_time_with_their_count(live: Shop) -> None:
    live.send(*(look(number, f"item-{number}") for number in range(25)))
    live.send(look(30, "item-7"))
    live.send(look(2.5, "item-24"), look(4.5, "late"))  # late: one that is known, one older than all of the twenty
    viewed = profile(live).viewed
    assert [item.item_id for item in viewed] == [f"item-{n}" for n in range(5, 25) if n != 7] + ["item-7"]
    assert {item.item_id: item.views for item in viewed if item.views > 1} == {"item-7": 2, "item-24": 2}
    assert viewed[-2].last_viewed_at == int((START + timedelta(seconds=24)).timestamp() * 1000)


def test_what_a_view_does_not_say_is_kept_from_the_last(live: Shop) -> None:
    named = {"item_id": "A", "item_name": "Lamp", "item_category": "Light", "price": 5}
    live.send(event("view_item", 0, currency="EUR") | {"items": [named]})
    live.send(event("view_item", 1) | {"items": [{"item_id": "A"}]})
    live.send(event("view_item", 0.5, currency="USD") | {"items": [named | {"price": 9, "item_name": "Old"}]})
    (item,) = profile(live).viewed
    assert (item.name, item.category, item.price_micros, item.currency, item.views) == ("Lamp", "Light", 5_000_000, "EUR", 3)


def test_categories_are_counted_and_the_one_left_longest_ago_goes_first(live: Shop) -> None:
    live.send(look(0, "a", "Light"), look(1, "b", "Light"), *(look(2 + n, f"i{n}", f"C{n}") for n in range(19)))
    live.send(look(50, "a", "Light"), look(51, "z", "Z"), look(52, "y", ""))
    session = profile(live).session
    assert session is not None
    found = {row.category: row.views for row in session.categories}
    assert (len(found), found["Light"], found["Z"]) == (20, 3, 1)
    assert "C0" not in found


def test_orders_and_revenue_are_kept_by_currency(live: Shop) -> None:
    live.send(
        buy(0, transaction_id="T-1", value=10.5),
        buy(1, transaction_id="T-2", value=5, currency="USD"),
        buy(2, "B", 3, transaction_id="T-3", value=None),
    )
    found = profile(live)
    assert [(order.order_id, order.value_micros, order.currency) for order in found.orders] == [
        ("T-1", 10_500_000, "EUR"),
        ("T-2", 5_000_000, "USD"),
        ("T-3", 30_000_000, "EUR"),
    ]
    assert [(bought.item_id, bought.quantity) for bought in found.orders[2].items] == [("B", 3)]
    assert found.session is not None
    assert found.session.orders == 3
    assert {row.currency: row.value_micros for row in found.session.revenue} == {"EUR": 40_500_000, "USD": 5_000_000}


# --- two people on one device ---


def test_another_customer_on_the_same_device_starts_anew(live: Shop) -> None:
    live.send(look(0), add(1), buy(2, "X"), add(3, "B"), event("login", 4, customer_id="anna"))
    live.send(event("login", 10, customer_id="bert"), look(11, "C", customer_id="bert"))
    found = profile(live)
    assert [len(events) for events in sessions(live)] == [5, 2]
    assert (found.customer_id, [link.customer_id for link in found.links]) == ("bert", ["anna", "bert"])
    assert ([item.item_id for item in found.viewed], found.orders, cart(live)) == (["C"], [], {})
    assert in_carts(live) is None


def test_late_events_of_the_first_do_not_touch_the_second(live: Shop) -> None:
    live.send(
        event("login", 0, customer_id="anna"), event("login", 10, customer_id="bert"), add(12, "B", customer_id="bert")
    )
    live.send(look(5, "A", customer_id="anna"), add(6, "A"), buy(7, "A", customer_id="anna"))
    found = profile(live)
    assert found.customer_id == "bert"
    assert (found.viewed, found.orders, cart(live)) == ([], [], {"B": 1})
    assert [len(events) for events in sessions(live)] == [4, 2]
    assert found.session is not None
    assert (found.session.events, found.session.orders, found.session.revenue) == (2, 0, [])


def test_a_log_in_that_arrives_late_moves_the_change_of_people_back(live: Shop) -> None:
    live.send(event("login", 0, customer_id="anna"), look(20, "B", customer_id="bert"))
    live.send(event("login", 10, customer_id="bert"), add(15, "B", customer_id="bert"))
    assert [len(events) for events in sessions(live)] == [1, 3]
    assert cart(live) == {"B": 1}


# --- an order counts once ---


def test_an_order_counts_once_from_wherever_it_comes(live: Shop) -> None:
    order = {"transaction_id": "T-1"}
    assert dropped(live.send(buy(0, **order))) == ""
    assert dropped(live.send(buy(1, **order))) == "duplicate"
    assert dropped(live.send_as_server(buy(2, **order))) == "duplicate"
    assert dropped(live.send_as_server(buy(3, **order), visitor="v-2")) == "duplicate"
    assert dropped(live.send(buy(4, transaction_id="T-2"), buy(5, transaction_id="T-2"))) == "duplicate"
    found = profile(live)
    assert [order.order_id for order in found.orders] == ["T-1", "T-2"]
    assert not live.redis.exists(key_of("v-2"))


def test_an_order_counts_once_for_ever_though_event_ids_are_forgotten(live: Shop) -> None:
    order = buy(0, transaction_id="T-1")
    live.send(order)
    live.redis.delete(key_of(kind=keys.seen))
    assert dropped(live.send(order)) == "duplicate"


def test_what_an_untrusted_browser_says_of_an_order_does_not_keep_the_order_out(live: Shop) -> None:
    registry = live.collector.registry
    assert registry is not None
    careful = msgspec.structs.replace(registry.by_name["demo"], trust_browser=False)
    live.collector.registry = SiteRegistry.of([careful])
    order = {"transaction_id": "T-1"}
    cut_short(live, buy(0, **order), 1)  # claimed and not settled: the shop's server need not wait for it either
    assert dropped(live.send_as_server(buy(1, **order))) == ""
    assert dropped(live.send_as_server(buy(2, **order))) == "duplicate"
    assert dropped(live.send(buy(3, **order))) == "duplicate"
    assert dropped(live.send(buy(4, transaction_id="T-2"))) == ""
    assert dropped(live.send(buy(5, transaction_id="T-2"))) == "duplicate"
    assert dropped(live.send_as_server(buy(6, transaction_id="T-2"))) == ""
    assert dropped(live.send(buy(7, transaction_id="T-2"))) == "duplicate"


def cut_short(shop: Shop, purchase: dict[str, Any], round_trips: int) -> None:
    """A collector that dies after so many round trips to the store."""
    body = msgspec.json.encode({"key": "pk_demo", "visitor": "v-1", "events": [purchase]})
    steps = shop.collector.steps(Request("POST", "/o", {}, body, "192.0.2.7"))
    commands = next(steps)
    for done in range(1, round_trips + 1):
        replies = [shop.redis.execute_command(*command) for command in commands]
        if done < round_trips:
            commands = steps.send(replies)


@pytest.mark.parametrize("round_trips", [1, 2])
def test_a_crash_before_an_order_is_settled_neither_loses_nor_doubles_it(live: Shop, round_trips: int) -> None:
    purchase = buy(0, transaction_id="T-1")
    cut_short(live, purchase, round_trips)
    live.send(purchase)
    live.redis.delete(key_of(kind=keys.seen))
    assert dropped(live.send(purchase)) == "duplicate"
    assert [order.order_id for order in profile(live).orders] == ["T-1"]


def test_an_order_whose_claimant_was_lost_is_taken_from_another_a_minute_later(live: Shop) -> None:
    cut_short(live, buy(0, transaction_id="T-1"), 1)
    assert dropped(live.send_as_server(buy(1, transaction_id="T-1"))) == "duplicate"
    live.now += timedelta(minutes=1)
    assert dropped(live.send_as_server(buy(2, transaction_id="T-1"))) == ""
    assert dropped(live.send(buy(3, transaction_id="T-1"))) == "duplicate"


# --- money of several currencies ---


def test_a_cart_never_adds_up_two_currencies(live: Shop) -> None:
    live.send(add(0, "A", currency="EUR"), add(10, "B", 2, currency="JPY"))
    assert (profile(live).cart.currency, profile(live).cart.value) == ("JPY", Decimal(20))
    live.send(add(5, "C", currency="EUR"))  # late: the cart has changed its currency since
    live.send(add(20, "B", 1, "remove_from_cart", currency="EUR"))
    assert (profile(live).cart.currency, profile(live).cart.value) == ("JPY", Decimal(10))
    assert cart(live) == {"A": 1, "B": 1, "C": 1}
    live.send(event("sync_cart", 30, items=[("A", "Light", 10, 1)], currency="EUR"))
    assert (profile(live).cart.currency, profile(live).cart.value) == ("EUR", Decimal(10))


# --- what cannot be read ---


@pytest.mark.parametrize("events", [1, 2])
def test_a_profile_that_makes_no_sense_loses_no_event(live: Shop, events: int) -> None:
    live.redis.set(key_of("v-1"), msgspec.msgpack.encode({"v": 1, "k": "no list"}))
    live.send(*(view(number) for number in range(events)))
    assert [len(session) for session in sessions(live)] == [events]


def test_an_event_that_could_not_be_stored_is_no_duplicate_afterwards(live: Shop) -> None:
    senseless = [{"h": name, "t": 1, "n": place, "e": "page_view"} for place, name in enumerate("ab")]
    batch = msgspec.msgpack.encode({"now": 0, "rules": {}, "visitor": "v-1", "events": senseless})
    kept = [key_of(), key_of(kind=keys.seen)]
    others = [keys.events(keys.partition_of("v-1", PARTITIONS)), zset_of(keys.carts), zset_of(keys.abandoned)]
    with pytest.raises(ResponseError):
        live.redis.fcall("observe_v1", 6, *kept, *others, "{p0}:none", batch, b"{}", b"")
    assert live.redis.exists(*kept, *others) == 0


# --- lists of carts ---


def test_the_list_of_carts_follows_the_cart(live: Shop) -> None:
    live.send(look(0))
    assert in_carts(live) is None
    live.send(add(5))
    assert in_carts(live) == START + timedelta(seconds=5)
    live.send(add(9, "B"), view(20))
    assert in_carts(live) == START + timedelta(seconds=9)
    live.send(remove(30), remove(31, "B"))
    assert in_carts(live) is None
    live.send(add(40), buy(50))
    assert in_carts(live) is None


def mark(shop: Shop, idle_since: float, visitor: str = "v-1") -> int:
    until = int((START + timedelta(seconds=idle_since)).timestamp() * 1000)
    lists = (key_of(visitor), zset_of(keys.carts, visitor), zset_of(keys.abandoned, visitor))
    return int(shop.redis.fcall("mark_abandoned_v1", 3, *lists, visitor, until, until + 5))


def cancel(shop: Shop, bought: float, visitor: str = "v-1") -> int:
    at = int((START + timedelta(seconds=bought)).timestamp() * 1000)
    lists = (zset_of(keys.carts, visitor), zset_of(keys.abandoned, visitor))
    return int(shop.redis.fcall("cancel_cart_v1", 2, *lists, visitor, at))


def test_an_idle_cart_is_marked_once_and_a_change_unmarks_it(live: Shop) -> None:
    live.send(add(0))
    assert [mark(live, -0.001), mark(live, 0), mark(live, 0)] == [0, 1, 0]
    live.send(view(10))
    assert live.redis.zcard(zset_of(keys.abandoned)) == 1
    live.send(add(20))
    assert live.redis.zcard(zset_of(keys.abandoned)) == 0
    assert [mark(live, 19), mark(live, 20)] == [0, 1]


def test_nothing_is_marked_where_nothing_is_left(live: Shop) -> None:
    assert mark(live, 0) == 0
    live.send(add(0))
    live.redis.delete(key_of())
    assert mark(live, 0) == 0
    assert live.redis.zcard(zset_of(keys.carts)) == 0


def test_a_purchase_elsewhere_cancels_a_cart_that_did_not_change_since(live: Shop) -> None:
    live.send(add(10))
    mark(live, 10)
    assert cancel(live, 9) == 0
    assert cancel(live, 10) == 1
    assert (live.redis.zcard(zset_of(keys.carts)), live.redis.zcard(zset_of(keys.abandoned))) == (0, 0)
    assert cancel(live, 10) == 0


def test_the_last_purchase_of_a_customer_is_the_latest(live: Shop) -> None:
    key = keys.customer(1, "demo", "anna")
    for at in (5_000, 9_000, 7_000):
        live.redis.fcall("note_purchase_v1", 1, key, at, 60_000)
    assert live.redis.hget(key, "last_purchase") == b"9000"
    assert 0 < live.redis.pttl(key) <= 60_000


# --- what it costs ---


def test_a_profile_that_cannot_be_read_does_not_lock_its_visitor_out(live: Shop) -> None:
    for broken in (b"junk", b"\x93\x01\x02\x03", msgspec.msgpack.encode({"v": 99})):
        live.redis.set(key_of(), broken)
        assert live.send(view(0, event_id=broken.hex())).status == 202
        assert profile(live).sessions == 1


def test_a_visitor_of_ten_events_and_a_cart_of_two_takes_little_memory(live: Shop) -> None:
    page = {"url": "https://shop.example/p/lamp-1?utm_source=news", "referrer": "https://search.example/", "title": "Lamp"}
    live.send(*(view(number, page=page) for number in range(5)))
    live.send(*(look(10 + number, f"LAMP-{number}", page=page) for number in range(3)))
    live.send(add(20, "LAMP-1", page=page), add(21, "LAMP-2", page=page))
    taken = sum(live.redis.memory_usage(key_of(kind=kind), samples=0) for kind in (keys.visitor, keys.seen))
    assert taken <= 1536


def test_one_event_costs_five_commands_of_the_store(live: Shop) -> None:
    live.send(view(0))
    live.redis.config_resetstat()
    for number in range(1, 11):
        live.send(view(number))
    stats = live.redis.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): found["calls"] for name, found in stats.items() if name not in NOT_OURS}
    assert calls == {"fcall": 10, "sadd": 10, "get": 10, "set": 10, "xadd": 10}


# --- whatever comes ---

ITEMS = st.sampled_from("ABC")
STEP = st.tuples(
    st.sampled_from(["page_view", "view_item", "add_to_cart", "add_to_cart", "remove_from_cart", "sync_cart", "purchase"]),
    st.lists(st.tuples(ITEMS, st.integers(0, 4)), min_size=1, max_size=3),
    st.sampled_from([0.001, 1, MINUTE, 31 * MINUTE, 5 * HOUR]),
    st.sampled_from(["", "", "", "anna", "bert"]),
)
GIVEN = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def life(steps: list[Any]) -> list[dict[str, Any]]:
    """The events of one visitor, in order, no two at the same time."""
    at, events = 0.0, []
    for kind, items, pause, customer in steps:
        at += pause
        lines = [(item, "Light", 10, quantity) for item, quantity in items]
        events.append(event(kind, at, items=lines, **({"customer_id": customer} if customer else {})))
    return events


def cart_by_hand(events: list[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in events:
        if each["type"] in ("sync_cart", "purchase"):
            found = {}
        sign = {"add_to_cart": 1, "sync_cart": 1, "remove_from_cart": -1}.get(each["type"], 0)
        for line in each["items"]:
            if sign and (line["item_id"] in found or (sign > 0 and line["quantity"])):
                found[line["item_id"]] = found.get(line["item_id"], 0) + sign * line["quantity"]
        found = {item: quantity for item, quantity in found.items() if quantity > 0}
    return found


def in_batches(events: list[dict[str, Any]], sizes: list[int]) -> Iterator[list[dict[str, Any]]]:
    rest = list(events)
    for size in itertools.cycle(sizes):
        if not rest:
            return
        yield rest[:size]
        rest = rest[size:]


@GIVEN
@given(steps=st.lists(STEP, min_size=1, max_size=25), sizes=st.lists(st.integers(1, 6), min_size=1), again=st.randoms())
def test_in_order_the_cart_is_that_of_the_model(
    live: Shop, steps: list[Any], sizes: list[int], again: random.Random
) -> None:
    visitor = f"v-{next(NUMBERS)}"
    events = life([(kind, items, pause, "") for kind, items, pause, _ in steps])
    live.now = START + timedelta(days=10)
    for batch in in_batches(events, sizes):
        live.send_as_server(*batch, visitor=visitor)
        if again.random() < 0.5:
            live.send_as_server(*again.sample(batch, len(batch)), visitor=visitor)
    assert cart(live, visitor) == cart_by_hand(events)
    assert (in_carts(live, visitor) is None) == (cart(live, visitor) == {})
    assert sessions(live, visitor) == by_hand(events)


@GIVEN
@given(steps=st.lists(STEP, min_size=1, max_size=25), sizes=st.lists(st.integers(1, 6), min_size=1), chance=st.randoms())
def test_in_any_order_every_event_is_counted_once(
    live: Shop, steps: list[Any], sizes: list[int], chance: random.Random
) -> None:
    visitor = f"v-{next(NUMBERS)}"
    events = life(steps)
    live.now = START + timedelta(days=10)
    live.tallies.clear()
    for batch in in_batches(chance.sample(events + events, len(events) * 2), sizes):
        assert live.send_as_server(*batch, visitor=visitor).status == 202
    mine = [row for row in recorded(live) if row[1] == visitor]
    assert sorted(event_id for _, _, event_id, _ in mine) == sorted(each["event_id"] for each in events)
    assert sum(tally["taken"] for tally in live.tallies) == len(events)
    found = profile(live, visitor)
    assert found.session is not None
    assert found.session.events == sum(1 for row in mine if row[3] == found.session.session_id)
    assert found.session.started_at <= found.session.ended_at
    assert [item.last_viewed_at for item in found.viewed] == sorted(item.last_viewed_at for item in found.viewed)
    assert (in_carts(live, visitor) is None) == (found.cart.lines == [])
