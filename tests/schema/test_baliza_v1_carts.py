"""The live profile on a real live store: the cart, what was viewed and bought, people, orders, lists of carts."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from redis.exceptions import ResponseError

from baliza.settings import Settings
from baliza.sites import SiteRegistry
from schema import keys
from schema.events import Event
from tests.support.collecting import START, Shop, event
from tests.support.live_profile import (
    PARTITIONS,
    add,
    buy,
    cart,
    dropped,
    in_carts,
    key_of,
    look,
    profile,
    recorded,
    remove,
    sessions,
    sync,
    view,
    zset_of,
)
from tests.support.profiles import stored_profile
from tracker.beacon import Decoded
from tracker.observe import Context, observe_command, session_rules
from tracker.request import Request

pytestmark = pytest.mark.redis


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
    live.redis.delete(key_of())
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
    assert dropped(live.send(purchase, visitor="v-2")) == "duplicate"
    assert [order.order_id for order in profile(live).orders] == ["T-1"]


def test_an_order_whose_claimant_was_lost_is_taken_from_another_a_minute_later(live: Shop) -> None:
    cut_short(live, buy(0, transaction_id="T-1"), 1)
    assert live.send_as_server(buy(1, transaction_id="T-1")).status == 503
    live.now += timedelta(minutes=1)
    assert dropped(live.send_as_server(buy(2, transaction_id="T-1"))) == ""
    assert dropped(live.send(buy(3, transaction_id="T-1"))) == "duplicate"


@pytest.mark.parametrize("claimant", ["abcdefghijk", "-bcdefghijk", "=bcdefghijk"])
@pytest.mark.parametrize("trusted", [0, 1])
def test_a_claim_holds_whatever_its_claimant_is_called(live: Shop, claimant: str, trusted: int) -> None:
    key = keys.orders(0, "demo")
    claims = [(claimant, 0), ("other-hash1", 5), (claimant, 9)]
    found = [live.redis.fcall("claim_order_v2", 1, key, "T-1", who, at, trusted) for who, at in claims]
    assert found == [1, 2, 1]
    live.redis.fcall("settle_order_v1", 1, key, "T-1", keys.ORDER_SETTLED if trusted else keys.ORDER_HEARSAY)
    assert live.redis.fcall("claim_order_v2", 1, key, "T-1", "other-hash1", 9, trusted) == 0


def test_hearsay_does_not_settle_what_the_shop_is_about_to_count(live: Shop) -> None:
    key = keys.orders(0, "demo")
    assert live.redis.fcall("claim_order_v2", 1, key, "T-1", "-bcdefghijk", 0, 1) == 1
    assert live.redis.fcall("settle_order_v1", 1, key, "T-1", keys.ORDER_HEARSAY) == 0


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
    live.redis.set(key_of("v-1"), stored_profile(session_id="s", past=7))
    live.send(*(view(number) for number in range(events)))
    assert [len(session) for session in sessions(live)] == [events]


def test_an_event_that_could_not_be_stored_is_no_duplicate_afterwards(live: Shop) -> None:
    """What the collector never writes: its items are cut short, so neither the profile nor a new one takes it."""
    an_event = msgspec.convert(add(0, event_id="e"), Event)
    decoded = Decoded("", "v-1", [an_event], [1], b"{}")
    command = list(
        observe_command(decoded, [0], Context("demo", "v-1", 0, "browser", True), session_rules(Settings()), PARTITIONS)
    )
    names, packed = command[3:5], command[6]
    assert isinstance(packed, bytes)
    command[6] = packed[:-1]
    with pytest.raises(ResponseError):
        live.redis.execute_command(*command)
    assert live.redis.exists(*names, zset_of(keys.carts), zset_of(keys.abandoned), key_of(kind=keys.seen)) == 0


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
