import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from demo.people import new_shopper
from demo.responses import CLICKS_TASTE, TAKES_OFFER, respond
from schema.events import Batch

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SHOPPER = replace(new_shopper(random.Random(3)), tastes=("light",))
OFFERS = [{"item_id": "LAMP-1", "response_code": "RC-1"}, {"item_id": "PEN-1", "response_code": "RC-1"}]
ANSWER = {"decision_id": "d-1", "offers": OFFERS}


def responses(answer: Any, count: int = 500) -> list[list[dict[str, object]]]:
    return [respond(answer, "cart", SHOPPER, random.Random(seed), NOW) for seed in range(count)]


def test_offers_are_always_shown_first() -> None:
    for events in responses(ANSWER):
        shown: Any = events[0]
        assert (shown["type"], shown["decision_id"], shown["placement"]) == ("offer_shown", "d-1", "cart")
        assert [item["item_id"] for item in shown["items"]] == ["LAMP-1", "PEN-1"]


def test_each_response_code_is_shown_on_its_own() -> None:
    offers = [*OFFERS, {"item_id": "INK-1", "response_code": "RC-2"}]
    shown: list[Any] = [
        event for event in responses({"decision_id": "d-1", "offers": offers}, 1)[0] if event["type"] == "offer_shown"
    ]
    told = [(event["response_code"], [item["item_id"] for item in event["items"]]) for event in shown]
    assert told == [("RC-1", ["LAMP-1", "PEN-1"]), ("RC-2", ["INK-1"])]


def test_click_goes_to_the_offer_after_taste() -> None:
    clicked: list[Any] = [events for events in responses(ANSWER) if len(events) > 1]
    assert 0.5 * CLICKS_TASTE < len(clicked) / 500 < 1.5 * CLICKS_TASTE
    for events in clicked:
        assert [event["type"] for event in events] == ["offer_shown", "offer_clicked", "page_view", "view_item"]
        assert events[1]["items"] == [{"item_id": "LAMP-1", "item_name": "Table lamp Duna"}]
        assert events[1]["response_code"] == "RC-1"


def test_other_offers_are_clicked_seldom() -> None:
    answer = {"decision_id": "d-1", "offers": OFFERS[1:]}
    assert sum(len(events) > 1 for events in responses(answer)) < 0.5 * CLICKS_TASTE * 500


def test_no_offer_no_response() -> None:
    answers: list[dict[str, Any]] = [{}, {"offers": []}, {"offers": None}, {"offers": [{"item_id": "GONE-1"}, 7]}]
    for answer in answers:
        assert respond(answer, "cart", SHOPPER, random.Random(1), NOW) == []


def test_responses_are_what_the_server_decodes() -> None:
    for events in responses(ANSWER, 50):
        msgspec.json.decode(json.dumps({"events": events}), type=Batch)


def test_some_of_those_who_click_take_what_was_offered() -> None:
    clicked = taken = 0
    for seed in range(1000):
        cart = {"PEN-1": 1}
        events: list[Any] = respond(ANSWER, "cart", SHOPPER, random.Random(seed), NOW, cart)
        clicked += len(events) > 1
        taken += events[-1]["type"] == "add_to_cart"
        assert cart == ({"PEN-1": 1, "LAMP-1": 1} if events[-1]["type"] == "add_to_cart" else {"PEN-1": 1})
        msgspec.json.decode(json.dumps({"events": events}), type=Batch)
    assert 0.6 * TAKES_OFFER < taken / clicked < 1.4 * TAKES_OFFER


def test_nothing_is_taken_without_a_cart() -> None:
    assert not any(event["type"] == "add_to_cart" for events in responses(ANSWER) for event in events)
