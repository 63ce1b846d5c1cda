"""What the collector answers, what it counts, and what it never writes down."""

from typing import Any

import msgspec
import pytest

from baliza.errors import StoreDown
from schema import keys
from tests.support.collecting import Shop, event
from tests.tracker.test_admission import everything
from tracker.collect import Dropped, Tally
from tracker.request import Answer, Request

pytestmark = pytest.mark.redis


def body(*events: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"key": "pk_demo", "visitor": "v-1", "events": events})


def test_all_accepted_is_an_empty_202(shop: Shop) -> None:
    assert shop.send(event(), event()) == Answer(202, [])
    assert shop.tallies == [Tally(received=2, rejected=0, consent=0, duplicate=0, taken=2)]


def test_what_was_not_counted_is_told_with_its_reasons(shop: Shop) -> None:
    same = event()
    shop.send(same)
    answer = shop.send(same, event(consent="denied"), event())
    assert (answer.status, answer.body) == (202, b"")
    assert dict(answer.headers) == {
        "X-Baliza-Dropped": "duplicate, consent",
        "X-Baliza-Count": "accepted=1, duplicate=1, consent=1",
    }
    assert shop.tallies[-1].reasons() == {reason.value: 1 for reason in Dropped}


def test_of_a_partly_bad_batch_the_good_is_in_and_the_bad_aside(shop: Shop) -> None:
    same = event()
    answer = shop.send(same, event(colour="red"), same, event("add_to_cart"))
    assert answer.status == 200
    assert msgspec.json.decode(answer.body) == {
        "accepted": 1,
        "duplicate": 1,
        "rejected": [
            {"index": 1, "error": 'expected known fields only (your own belong into properties), got "colour" at events[1]'},
            {"index": 3, "error": "expected at least one item in a add_to_cart, got none at events[3].items"},
        ],
    }
    kept = shop.redis.xrange(keys.quarantine(keys.partition_of("v-1", 8)))
    assert [fields[b"site"] for _, fields in kept] == [b"demo", b"demo"]
    assert b'"colour":"red"' in kept[0][1][b"event"]
    assert shop.tallies[-1] == Tally(received=4, rejected=2, duplicate=1, taken=1)


def test_of_a_huge_event_only_the_beginning_is_kept(shop: Shop) -> None:
    shop.send(event(coupon="c" * 100_000), event())
    ((_, kept),) = shop.redis.xrange(keys.quarantine(keys.partition_of("v-1", 8)))
    assert len(kept[b"event"]) == 32 * 1024


def test_addresses_are_never_written(shop: Shop) -> None:
    mine = {"x-forwarded-for": "203.0.113.57, 2001:db8:abcd:12::57"}
    shop.send(event(), event("add_to_cart", item="A"), event("purchase", item=("A", "", 5)), headers=mine)
    shop.send(event(colour="red"), headers=mine)
    shop.post(b"", mine, "/o.gif?key=pk_demo&visitor=v-1", "GET")
    kept = everything(shop.redis)
    assert b"192.0.2.0/24" in kept
    for address in (b"192.0.2.77", b"203.0.113", b"2001:db8", b"\xc0\x00\x02\x4d", bytes([203, 0, 113, 57])):
        assert address not in kept


def test_a_store_that_is_away_is_told_with_when_to_come_back(shop: Shop) -> None:
    steps = shop.collector.steps(Request("POST", "/o", {"origin": "http://shop.test"}, body(event()), "192.0.2.7"))
    next(steps)
    with pytest.raises(StopIteration) as stop:
        steps.throw(StoreDown("the live store does not answer"))
    answer = stop.value.value
    assert (answer.status, dict(answer.headers)["Retry-After"]) == (503, "2")
    assert dict(answer.headers)["Access-Control-Allow-Origin"] == "http://shop.test"
    assert shop.tallies == []


def test_a_picture_comes_even_when_the_store_is_away(shop: Shop) -> None:
    steps = shop.collector.steps(Request("GET", "/o.gif?key=pk_demo", {}, b"", "192.0.2.7"))
    next(steps)
    with pytest.raises(StopIteration) as stop:
        steps.throw(StoreDown("the live store does not answer"))
    answer = stop.value.value
    assert (answer.status, len(answer.body), dict(answer.headers)["Retry-After"]) == (503, 43, "2")


@pytest.mark.parametrize(("events", "round_trips"), [(["page_view"] * 5, 1), (["page_view", "purchase", "purchase"], 3)])
def test_only_purchases_need_more_than_one_round_trip(shop: Shop, events: list[str], round_trips: int) -> None:
    made = [event(kind, item="A") for kind in events]
    steps = shop.collector.steps(Request("POST", "/o", {}, body(*made), "192.0.2.7"))
    counted, commands = 0, next(steps, None)
    while commands is not None:
        counted += 1
        replies = [shop.redis.execute_command(*command) for command in commands]
        try:
            commands = steps.send(replies)
        except StopIteration:
            commands = None
    assert counted == round_trips


@pytest.mark.parametrize("encoding", ["identity", ""])
def test_a_body_that_says_it_is_plain_is_taken(shop: Shop, encoding: str) -> None:
    assert shop.send(event(), headers={"content-encoding": encoding}).status == 202


def test_wrong_methods_say_which_are_right(shop: Shop) -> None:
    answer = shop.post(b"", method="PUT")
    assert (answer.status, dict(answer.headers)["Allow"]) == (405, "POST, OPTIONS")


def test_money_of_an_untrusted_browser_is_marked(shop: Shop) -> None:
    site = shop.collector.registry.by_name["demo"]  # type: ignore[union-attr]
    untrusting = msgspec.structs.replace(site, trust_browser=False)
    shop.collector.registry = type(shop.collector.registry).of([untrusting])  # type: ignore[union-attr]
    shop.send(event())
    shop.send_as_server(event())
    entries = shop.redis.xrange(keys.events(keys.partition_of("v-1", 8)))
    assert [msgspec.msgpack.decode(entry[b"c"])["t"] for _, entry in entries] == [False, True]
