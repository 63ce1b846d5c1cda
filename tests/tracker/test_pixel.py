"""GET /o.gif: always a picture, and an event where it says enough for one."""

from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from schema import keys
from schema.events import Batch
from schema.profile import decode_profile
from tests.support.collecting import START, Shop
from tests.tracker.test_admission import assert_only_numbers
from tracker.pixel import header_text, pixel_body
from tracker.request import PIXEL, Answer, Request

ALL = {
    "key": "pk_demo", "visitor": "v-1", "event_id": "e-1", "type": "purchase", "occurred_at": "2026-11-21T10:00:00Z",
    "customer_id": "c-1", "currency": "EUR", "value": "39.90", "transaction_id": "T-1", "response_code": "R-1",
    "decision_id": "D-1", "placement": "mail", "search_term": "lamp", "consent": "granted", "url": "http://shop.test/thanks",
    "referrer": "http://mail.test/", "title": "Thanks", "item_id": "LAMP", "content": "promotion:autumn", "r": "0.123",
}  # fmt: skip


def load(shop: Shop, headers: dict[str, str] | None = None, method: str = "GET", **query: Any) -> Answer:
    return shop.post(b"", headers, f"/o.gif?{urlencode({'key': 'pk_demo'} | query)}", method)


def body_of(query: str, **headers: str) -> Batch:
    request = Request("GET", f"/o.gif?{query}", headers, b"", "")
    return msgspec.json.decode(pixel_body(request, int(START.timestamp() * 1000), lambda: "new"), type=Batch)


def is_picture(answer: Answer) -> bool:
    found = dict(answer.headers)
    return (
        answer.body == PIXEL
        and len(answer.body) == 43
        and answer.body.startswith(b"GIF89a")
        and (found["Content-Type"], found["Cache-Control"]) == ("image/gif", "no-store")
    )


def test_every_field_reaches_its_place() -> None:
    batch = body_of(urlencode(ALL))
    (event,) = batch.events
    assert (batch.key, batch.visitor, event.event_id, event.type, event.occurred_at) == (
        "pk_demo",
        "v-1",
        "e-1",
        "purchase",
        START,
    )
    assert (event.customer_id, event.currency, str(event.value), event.transaction_id) == ("c-1", "EUR", "39.90", "T-1")
    assert (event.response_code, event.decision_id, event.placement) == ("R-1", "D-1", "mail")
    assert (event.search_term, event.consent, event.items[0].item_id) == ("lamp", "granted", "LAMP")
    assert event.page is not None
    assert (event.page.url, event.page.referrer, event.page.title) == (
        "http://shop.test/thanks",
        "http://mail.test/",
        "Thanks",
    )
    assert event.content is not None
    assert (event.content.kind, event.content.id) == ("promotion", "autumn")


def test_what_is_not_said_is_the_page_view_of_now() -> None:
    (event,) = body_of("key=pk_demo&value=&visitor=", referer="http://shop.test/p").events
    assert (event.event_id, event.type, event.occurred_at, event.value) == ("new", "page_view", START, None)
    assert event.page is not None
    assert event.page.url == "http://shop.test/p"


@pytest.mark.redis
def test_an_event_is_recorded(shop: Shop) -> None:
    answer = load(shop, visitor="v-1", type="view_item", item_id="LAMP")
    assert (answer.status, is_picture(answer)) == (200, True)
    stored = decode_profile(shop.redis.get(keys.visitor(keys.partition_of("v-1", 8), "demo", "v-1")))
    assert [item.item_id for item in stored.viewed] == ["LAMP"]


@pytest.mark.redis
def test_a_visitor_without_name_gets_a_cookie(shop: Shop) -> None:
    answer = load(shop)
    assert dict(answer.headers)["Set-Cookie"].startswith("bz_v=")
    assert "Set-Cookie" not in dict(load(shop, {"cookie": "bz_v=v-1"}).headers)


@pytest.mark.redis
def test_every_load_counts_unless_the_event_has_an_id(shop: Shop) -> None:
    for _ in range(2):
        assert "X-Baliza-Dropped" not in dict(load(shop, visitor="v-1").headers)
    load(shop, visitor="v-1", event_id="mine")
    answer = load(shop, visitor="v-1", event_id="mine")
    assert (answer.status, dict(answer.headers)["X-Baliza-Dropped"], is_picture(answer)) == (200, "duplicate", True)


@pytest.mark.redis
def test_nothing_is_kept_of_who_opted_out(shop: Shop) -> None:
    answer = load(shop, {"dnt": "1"})
    assert (answer.status, dict(answer.headers)["X-Baliza-Dropped"], is_picture(answer)) == (200, "consent", True)
    assert_only_numbers(shop.redis)


@pytest.mark.redis
@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"key": ""}, 401, 'expected the publishable key as "key" (or the secret key as bearer), got none'),
        ({"key": "pk_x"}, 401, "'pk_x' is not the publishable key of any site; `baliza site list` shows them"),
        ({"type": "pageview"}, 400, None),
        ({"value": "5"}, 400, "expected an ISO 4217 code with a value, got none at currency"),
        ({"colour": "red"}, 400, None),
        ({str(number): "" for number in range(101)}, 400, "expected at most 100 fields in the query string, got more"),
        ({"visitor": "v" * 101}, 400, "expected text of 1 to 100 characters, got 101 characters at visitor"),
    ],
)
def test_an_error_is_told_beside_the_picture(shop: Shop, query: dict[str, str], status: int, words: str | None) -> None:
    answer = load(shop, **query)
    found = dict(answer.headers)
    assert (answer.status, is_picture(answer)) == (status, True)
    assert found["X-Baliza-Error"] == (words or found["X-Baliza-Error"])
    assert "Set-Cookie" not in found


@pytest.mark.redis
def test_names_a_field_that_is_not_known(shop: Shop) -> None:
    words = dict(load(shop, colour="red").headers)["X-Baliza-Error"]
    assert words.startswith("expected only the fields consent, content, currency,")
    assert words.endswith("got 'colour' in the query string")


@pytest.mark.redis
def test_a_bad_event_is_kept_aside(shop: Shop) -> None:
    load(shop, visitor="v-1", type="pageview")
    assert shop.redis.xlen(keys.quarantine(keys.partition_of("v-1", 8))) == 1


@pytest.mark.redis
@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS"])
def test_other_methods_are_refused_with_a_picture(shop: Shop, method: str) -> None:
    answer = load(shop, method=method)
    assert (answer.status, dict(answer.headers)["Allow"], is_picture(answer)) == (405, "GET, HEAD", True)


@pytest.mark.redis
def test_the_bearer_of_a_protected_shop_is_not_ours(shop: Shop) -> None:
    assert load(shop, {"authorization": "Basic c3RhZ2luZzo="}).status == 200


def test_a_header_is_plain_and_has_one_line() -> None:
    assert header_text("expected number ≥ 0, got 5…\r\nX: ü\x85 at events[0].value") == (
        "expected number >= 0, got 5...\\u000d\\u000aX: \\u00fc\\u0085 at value"
    )
    assert len(header_text("x" * 5000)) == 1000
