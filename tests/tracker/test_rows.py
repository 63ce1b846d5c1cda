"""From the stream to rows: the same entry gives the same rows, and no accepted event is one that the history refuses."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from baliza.sites import add_site
from baliza.stores import History
from schema import keys
from tests.support.collecting import START, Shop, event
from tracker.ingest import INSERT
from tracker.rows import COLUMNS, BadEntry, Purchase, purchases_of, rows_of

Entry = Mapping[bytes, bytes]


def entries(shop: Shop) -> list[Entry]:
    return [fields for n in range(8) for _, fields in shop.redis.xrange(keys.events(n))]


def rows(shop: Shop) -> list[dict[str, Any]]:
    found = [dict(zip(COLUMNS, row, strict=True)) for entry in entries(shop) for row in rows_of(entry)]
    return sorted(found, key=lambda row: row["occurred_at"])


@pytest.mark.redis
def test_the_same_entry_gives_the_same_rows(shop: Shop) -> None:
    shop.send(event("view_item", item="A", properties={"a": 1}), event("add_to_cart", 1, item=("A", "L", 5, 2)))
    (entry,) = entries(shop)
    assert rows_of(entry) == rows_of(entry)
    assert all(len(row) == len(COLUMNS) for row in rows_of(entry))


@pytest.mark.redis
def test_an_event_fills_its_columns(shop: Shop) -> None:
    page = {"url": "http://shop.test/p?utm_source=News", "referrer": "http://a.test/", "title": "Lamp"}
    given = {"content": {"kind": "ad", "id": "top"}, "response_code": "R", "decision_id": "D", "placement": "P"}
    more = {"search_term": "lamp", "consent": "granted", "properties": {"a": 1, "b": True, "c": 1.5, "d": "x"}}
    shop.send(event("view_item", item=("A", "Light", 39.9, 2), page=page, customer_id="c-1", **given, **more))
    (row,) = rows(shop)
    assert (row["site"], row["type"], row["visitor_id"], row["customer_id"], row["sender"]) == (
        "demo", "view_item", "v-1", "c-1", "browser",
    )  # fmt: skip
    assert (row["occurred_at"], row["received_at"], row["session_opened_at"]) == (START, shop.now, START)
    assert (row["page_path"], row["page_title"], row["source"], row["bot"]) == ("/p", "Lamp", "news", "no user agent")
    assert (row["item_ids"], row["item_prices"], row["item_quantities"]) == (["A"], [Decimal("39.90")], [2])
    assert (row["content_kind"], row["content_id"], row["response_code"], row["decision_id"]) == ("ad", "top", "R", "D")
    assert row["properties"] == {"a": "1", "b": "true", "c": "1.5", "d": "x"}
    assert row["network"] == "192.0.2.0/24"


@pytest.mark.redis
def test_only_what_was_taken_becomes_a_row(shop: Shop) -> None:
    same = event()
    shop.send(same)
    shop.send(event("search", 1), same, event("login", 2), event(colour="red"))
    assert [(row["type"], row["session_event"]) for row in rows(shop)] == [("page_view", 1), ("search", 2), ("login", 3)]


@pytest.mark.redis
def test_the_cart_is_that_after_the_event(shop: Shop) -> None:
    item = ("A", "", 5)
    shop.send(event("add_to_cart", item=(*item, 2)), event("page_view", 1), event("purchase", 2, item=item))
    assert [(row["cart_pieces"], row["cart_value"], row["cart_currency"]) for row in rows(shop)] == [
        (2, Decimal(10), "EUR"),
        (2, Decimal(10), "EUR"),
        (0, Decimal(0), "EUR"),
    ]


@pytest.mark.redis
def test_revenue_is_the_value_or_the_sum_of_the_items(shop: Shop) -> None:
    items = {"items": [("A", "", "19.99", 2), ("B", "", 0.02, 1), ("C",)]}
    shop.send(
        event("purchase", **items), event("purchase", 1, value="35.5", **items), event("view_item", 2, value=5, **items)
    )
    assert [(row["value"], row["revenue"]) for row in rows(shop)] == [
        (Decimal("40.00"), Decimal("40.00")),
        (Decimal("35.50"), Decimal("35.50")),
        (Decimal(5), Decimal(0)),
    ]


@pytest.mark.redis
def test_a_servers_user_agent_is_not_the_visitors(shop: Shop) -> None:
    server = {"authorization": "Bearer sk_demo", "user-agent": "python-requests/2.32"}
    shop.post({"visitor": "v-1", "events": [event()]}, server)
    (row,) = rows(shop)
    assert (row["sender"], row["device"], row["browser"], row["bot"]) == ("server", "", "", "")


@pytest.mark.redis
def test_a_server_may_say_the_visitors_browser_and_a_page_may_not(shop: Shop) -> None:
    phone = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile/15E148 Safari/604.1"
    )
    said = {"visitor": "v-1", "user_agent": phone}
    shop.post(said | {"events": [event()]}, {"authorization": "Bearer sk_demo", "user-agent": "python-requests/2"})
    shop.post(said | {"key": "pk_demo", "events": [event(at=1)]}, {"user-agent": "curl/8"})
    # The same holds when a part of the batch was bad and it was taken apart.
    shop.post(said | {"events": [event(at=2), {}]}, {"authorization": "Bearer sk_demo"})
    assert [(row["device"], row["bot"]) for row in rows(shop)] == [("phone", ""), ("other", "crawler"), ("phone", "")]


@pytest.mark.redis
def test_driven_browsers_are_people_where_the_site_says_so(shop: Shop) -> None:
    add_site(shop.redis, "staging", ["*"], publishable_key="pk_staging", count_automation=True)
    driven = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/140.0.0.0 Safari/537.36"}
    staging = Shop(shop.redis, shop.collector.settings, "pk_staging")
    shop.send(event(), headers=driven)
    staging.send(event(at=1), headers=driven)
    staging.send(event(at=2), headers={"user-agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"})
    assert [row["bot"] for row in rows(shop)] == ["automated browser", "", "crawler"]


@pytest.mark.redis
def test_tells_purchases(shop: Shop) -> None:
    bought = event("purchase", 1, item="A", customer_id="anna", transaction_id="T-1")
    shop.send(bought, event(customer_id="anna"))
    shop.send(event(customer_id="anna"))
    at_ms = int((START + timedelta(seconds=1)).timestamp() * 1000)
    assert [found for entry in entries(shop) for found in purchases_of(entry)] == [
        Purchase("demo", "anna", at_ms, "T-1", True)
    ]


@pytest.mark.redis
def test_a_purchase_is_found_however_it_is_written(shop: Shop) -> None:
    body = b'{"key":"pk_demo","visitor":"v","events":[{"event_id":"e","type":"purch\\u0061se","occurred_at":"%s",'
    body = body % START.isoformat().encode() + b'"transaction_id":"T","customer_id":"anna","items":[{"item_id":"A"}]}]}'
    assert shop.post(body).status == 202
    assert [found.customer_id for entry in entries(shop) for found in purchases_of(entry)] == ["anna"]


@pytest.mark.redis
@pytest.mark.parametrize("broken", [b"", b"{", b"\xff\xfe", b"\xc1", b"[]", b"\x93\x01"])
@pytest.mark.parametrize("field", [b"b", b"c", b"o"])
def test_says_when_an_entry_cannot_be_read(shop: Shop, field: bytes, broken: bytes) -> None:
    shop.send(event("purchase", item="A", customer_id="c"))
    (entry,) = entries(shop)
    with pytest.raises(BadEntry, match="a stream entry cannot be read"):
        rows_of({**entry, field: broken})
    with pytest.raises(BadEntry):
        rows_of({name: value for name, value in entry.items() if name != field})


@pytest.mark.redis
def test_an_entry_of_which_nothing_was_taken_needs_no_body_and_makes_no_rows(shop: Shop) -> None:
    shop.send(event("purchase", item="A", customer_id="c"))
    (entry,) = entries(shop)
    for empty in (msgspec.msgpack.encode([]), b""):
        nothing = {b"c": entry[b"c"], b"o": empty}
        assert (rows_of(nothing), purchases_of(nothing)) == ([], [])


@pytest.mark.redis
def test_says_when_an_entry_makes_no_rows(shop: Shop) -> None:
    shop.send(event())
    (entry,) = entries(shop)
    (outcome,) = msgspec.msgpack.decode(entry[b"o"])
    outcome[3] = 10**18  # opened in a year that no calendar has
    with pytest.raises(BadEntry, match="makes no rows"):
        rows_of({**entry, b"o": msgspec.msgpack.encode([outcome])})


EXTREMES = [
    '"value": 0E+999999999, "currency": "EUR"',
    '"value": 1e-999999, "currency": "EUR"',
    '"value": 0.' + "1" * 5000 + ', "currency": "EUR"',
    '"value": 1000000000, "currency": "EUR", "tax": "1_0", "shipping": " 5 "',
    '"items": [{"item_id": "A", "price": 1000000000, "quantity": 100000, "index": ' + "9" * 4000 + "}]",
    '"items": [{"item_id": "A", "price": 0.0000005, "quantity": 0}]',
    '"properties": {"a": ' + "9" * 4000 + ', "b": 1e308, "c": -0.0, "d": "\\ud83d\\udca1"}',
    '"page": {"url": "http://[broken", "referrer": "http://[x", "title": "' + "t" * 300 + '"}',
    '"page": {"url": "http://shop.test/?utm_source=%00%ff"}',
    '"search_term": "\u202e\uffff\U0010ffff"',
]


@pytest.mark.redis
@pytest.mark.clickhouse
def test_what_is_accepted_is_taken_by_the_history_however_extreme(shop: Shop, history: History) -> None:
    for number, fields in enumerate(EXTREMES):
        for kind in ("add_to_cart", "page_view"):
            if kind == "page_view" or "items" in fields:
                sound = f'"event_id": "{kind}-{number}", "type": "{kind}", "occurred_at": "{START.isoformat()}"'
                body = f'{{"key": "pk_demo", "visitor": "v-{number % 3}", "events": [{{{sound}, {fields}}}]}}'
                assert shop.post(body.encode()).status == 202, fields[:60]
    for when in (datetime.fromisoformat("2000-01-01T00:00:00+14:00") + timedelta(days=1), shop.now + timedelta(minutes=5)):
        assert shop.send_as_server(event(at=when)).status == 202
    found = [row for entry in entries(shop) for row in rows_of(entry)]
    history.client().execute(INSERT, [list(column) for column in zip(*found, strict=True)], columnar=True)
    assert history.rows("SELECT count() FROM events") == [(len(found),)]
    assert history.rows("SELECT max(cart_value), max(item_prices[1]), min(value) FROM events") == [
        (Decimal(1_000_000_000), Decimal(1_000_000_000), Decimal(0)),
    ]
