import json
import random
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from demo.catalogue import PRODUCTS
from demo.walks import history
from loadtests.payloads import event_json, offers_asked, posts, posts_of_history, visit_of_ten
from schema.events import Batch
from tracker.beacon import decode
from tracker.checks import TimeWindow

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
WINDOW = TimeWindow(int(NOW.timestamp() * 1000), 259_200_000, 300_000)


def body_of(raw: bytes) -> dict[str, Any]:
    head, _, body = raw.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert not decode(body, WINDOW).rejected
    found: dict[str, Any] = json.loads(body)
    return found


def test_an_event_has_about_400_bytes() -> None:
    sizes = [len(event_json("view_item", "r0-64-1-000000000001", product, NOW)) for product in PRODUCTS]
    assert 360 <= min(sizes) <= max(sizes) <= 420


@pytest.mark.parametrize("events_each", [1, 10])
def test_every_request_is_whole_and_every_event_new(events_each: int) -> None:
    bodies = [body_of(raw) for raw in islice(posts("r0", NOW, events_each), 100)]
    ids = [event["event_id"] for body in bodies for event in body["events"]]
    assert len(set(ids)) == len(ids) == 100 * events_each
    assert {len(body["events"]) for body in bodies} == {events_each}


@pytest.mark.parametrize("events_each", [1, 10])
def test_a_visitor_comes_for_ten_events(events_each: int) -> None:
    bodies = [body_of(raw) for raw in islice(posts("r0", NOW, events_each), 100 // events_each)]
    by_visitor = {body["visitor"]: 0 for body in bodies}
    for body in bodies:
        by_visitor[body["visitor"]] += len(body["events"])
    assert set(by_visitor.values()) == {10}


def test_runs_share_neither_visitors_nor_events() -> None:
    one, other = body_of(next(posts("r0", NOW, 1))), body_of(next(posts("r1", NOW, 1)))
    assert one["visitor"] != other["visitor"]
    assert one["events"][0]["event_id"] != other["events"][0]["event_id"]


def test_a_visit_of_ten_leaves_two_products_in_the_cart() -> None:
    events = body_of(visit_of_ten("v-1", NOW))["events"]
    put_in = {event["items"][0]["item_id"] for event in events if event["type"] == "add_to_cart"}
    assert (len(events), len({event["event_id"] for event in events}), len(put_in)) == (10, 10, 2)


def test_past_visits_come_from_the_shops_server() -> None:
    visits = list(history(2, 5, random.Random(1), NOW))
    raws = list(posts_of_history(visits))
    assert len(raws) == len(visits)
    for raw, visit in zip(raws, visits, strict=True):
        head, _, body = raw.partition(b"\r\n\r\n")
        assert b"\r\nAuthorization: Bearer sk_bench\r\n" in head
        assert json.loads(body) == visit.body
        assert set(json.loads(body)) <= set(Batch.__struct_fields__)


def test_offers_are_asked_for_all_visitors_in_turn() -> None:
    asked = [raw.split(b" ")[1] for raw in islice(offers_asked(["v-1", "v 2"]), 4)]
    assert [b"visitor=v-1&" in each for each in asked] == [True, False, True, False]
    assert b"visitor=v%202&" in asked[1]
    assert asked[0] != asked[2]
