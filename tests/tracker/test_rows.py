"""From the stream to rows: the same entry gives the same rows, and no accepted event is one that the history refuses."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from baliza.sites import add_site
from baliza.stores import History
from schema import keys
from tests.support.collecting import START, Shop, event
from tests.support.plain_rows import insert_plainly, plain_rows
from tracker.insertion import Insertion
from tracker.rows import BadEntry, Known, Purchase, Receipt, arrival_of, opened

Entry = Mapping[bytes, bytes]


def entries(shop: Shop) -> list[Entry]:
    return [fields for n in range(8) for _, fields in shop.redis.xrange(keys.events(n))]


def rows(shop: Shop, history: History) -> list[dict[str, Any]]:
    """What the history makes of what was sent, by time."""
    Insertion(history).write([arrival_of(entry) for entry in entries(shop)], "token")
    return history.records("SELECT * FROM events ORDER BY occurred_at, session_event")


def stored(shop: Shop, history: History) -> list[tuple[Any, ...]]:
    """What the history has after nothing but these entries were inserted."""
    history.rows("TRUNCATE TABLE events")
    Insertion(history).write([arrival_of(entry) for entry in entries(shop)], uuid4().hex)
    return history.rows("SELECT * FROM events ORDER BY event_id")


def stored_plainly(shop: Shop, history: History) -> list[tuple[Any, ...]]:
    history.rows("TRUNCATE TABLE events")
    insert_plainly(history, [row for entry in entries(shop) for row in plain_rows(entry)])
    return history.rows("SELECT * FROM events ORDER BY event_id")


@pytest.mark.redis
def test_the_same_entry_gives_the_same_rows(shop: Shop) -> None:
    shop.send(event("view_item", item="A", properties={"a": 1}), event("add_to_cart", 1, item=("A", "L", 5, 2)))
    (entry,) = entries(shop)
    assert arrival_of(entry) == arrival_of(entry)
    assert arrival_of(entry).events == 2


@pytest.mark.redis
@pytest.mark.clickhouse
def test_an_event_fills_its_columns(shop: Shop, history: History) -> None:
    page = {"url": "http://shop.test/p?utm_source=News", "referrer": "http://a.test/", "title": "Lamp"}
    given = {"content": {"kind": "ad", "id": "top"}, "response_code": "R", "decision_id": "D", "placement": "P"}
    more = {"search_term": "lamp", "consent": "granted", "properties": {"a": 1, "b": True, "c": 1.5, "d": "x"}}
    shop.send(event("view_item", item=("A", "Light", 39.9, 2), page=page, customer_id="c-1", **given, **more))
    (row,) = rows(shop, history)
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
@pytest.mark.clickhouse
def test_only_what_was_taken_becomes_a_row(shop: Shop, history: History) -> None:
    same = event()
    shop.send(same)
    shop.send(event("search", 1), same, event("login", 2), event(colour="red"))
    assert [(row["type"], row["session_event"]) for row in rows(shop, history)] == [
        ("page_view", 1),
        ("search", 2),
        ("login", 3),
    ]


@pytest.mark.redis
@pytest.mark.clickhouse
def test_the_cart_is_that_after_the_event(shop: Shop, history: History) -> None:
    item = ("A", "", 5)
    shop.send(event("add_to_cart", item=(*item, 2)), event("page_view", 1), event("purchase", 2, item=item))
    assert [(row["cart_pieces"], row["cart_value"], row["cart_currency"]) for row in rows(shop, history)] == [
        (2, Decimal(10), "EUR"),
        (2, Decimal(10), "EUR"),
        (0, Decimal(0), "EUR"),
    ]


@pytest.mark.redis
@pytest.mark.clickhouse
def test_revenue_is_the_value_or_the_sum_of_the_items(shop: Shop, history: History) -> None:
    items = {"items": [("A", "", "19.99", 2), ("B", "", 0.02, 1), ("C",)]}
    shop.send(
        event("purchase", **items), event("purchase", 1, value="35.5", **items), event("view_item", 2, value=5, **items)
    )
    assert [(row["value"], row["revenue"]) for row in rows(shop, history)] == [
        (Decimal("40.00"), Decimal("40.00")),
        (Decimal("35.50"), Decimal("35.50")),
        (Decimal(5), Decimal(0)),
    ]


@pytest.mark.redis
@pytest.mark.clickhouse
def test_a_servers_user_agent_is_not_the_visitors(shop: Shop, history: History) -> None:
    server = {"authorization": "Bearer sk_demo", "user-agent": "python-requests/2.32"}
    shop.post({"visitor": "v-1", "events": [event()]}, server)
    (row,) = rows(shop, history)
    assert (row["sender"], row["device"], row["browser"], row["bot"]) == ("server", "", "", "")


@pytest.mark.redis
@pytest.mark.clickhouse
def test_a_server_may_say_the_visitors_browser_and_a_page_may_not(shop: Shop, history: History) -> None:
    phone = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile/15E148 Safari/604.1"
    )
    said = {"visitor": "v-1", "user_agent": phone}
    shop.post(said | {"events": [event()]}, {"authorization": "Bearer sk_demo", "user-agent": "python-requests/2"})
    shop.post(said | {"key": "pk_demo", "events": [event(at=1)]}, {"user-agent": "curl/8"})
    # The same holds when a part of the batch was bad and it was taken apart.
    shop.post(said | {"events": [event(at=2), {}]}, {"authorization": "Bearer sk_demo"})
    assert [(row["device"], row["bot"]) for row in rows(shop, history)] == [
        ("phone", ""),
        ("other", "crawler"),
        ("phone", ""),
    ]


@pytest.mark.redis
@pytest.mark.clickhouse
def test_driven_browsers_are_people_where_the_site_says_so(shop: Shop, history: History) -> None:
    add_site(shop.redis, "staging", ["*"], publishable_key="pk_staging", count_automation=True)
    driven = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/140.0.0.0 Safari/537.36"}
    staging = Shop(shop.redis, shop.collector.settings, "pk_staging")
    shop.send(event(), headers=driven)
    staging.send(event(at=1), headers=driven)
    staging.send(event(at=2), headers={"user-agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"})
    assert [row["bot"] for row in rows(shop, history)] == ["automated browser", "", "crawler"]


@pytest.mark.redis
def test_tells_purchases(shop: Shop) -> None:
    bought = event("purchase", 1, item="A", customer_id="anna", transaction_id="T-1")
    shop.send(bought, event(customer_id="anna"))
    shop.send(event(customer_id="anna"))
    at_ms = int((START + timedelta(seconds=1)).timestamp() * 1000)
    assert [found for entry in entries(shop) for found in arrival_of(entry).purchases] == [
        Purchase("demo", "anna", at_ms, "T-1", True)
    ]


@pytest.mark.redis
def test_tells_who_the_visitor_was_known_to_be_last(shop: Shop) -> None:
    shop.send(event(at=5), event(at=1, customer_id="anna"), event(at=3, customer_id="bert"), event(at=2, customer_id="anna"))
    shop.send(event(at=6))
    at_ms = int((START + timedelta(seconds=3)).timestamp() * 1000)
    assert [arrival_of(entry).known for entry in entries(shop)] == [Known("demo", "bert", "v-1", at_ms), None]


@pytest.mark.redis
def test_a_purchase_is_found_however_it_is_written(shop: Shop) -> None:
    body = b'{"key":"pk_demo","visitor":"v","events":[{"event_id":"e","type":"purch\\u0061se","occurred_at":"%s",'
    body = body % START.isoformat().encode() + b'"transaction_id":"T","customer_id":"anna","items":[{"item_id":"A"}]}]}'
    assert shop.post(body).status == 202
    assert [found.customer_id for entry in entries(shop) for found in arrival_of(entry).purchases] == ["anna"]


@pytest.mark.redis
@pytest.mark.parametrize("broken", [b"", b"{", b"\xff\xfe", b"\xc1", b"[]", b"\x93\x01"])
@pytest.mark.parametrize("field", [b"b", b"c", b"o"])
def test_says_when_an_entry_cannot_be_read(shop: Shop, field: bytes, broken: bytes) -> None:
    shop.send(event("purchase", item="A", customer_id="c"))
    (entry,) = entries(shop)
    with pytest.raises(BadEntry, match="a stream entry cannot be read"):
        arrival_of({**entry, field: broken})
    with pytest.raises(BadEntry):
        arrival_of({name: value for name, value in entry.items() if name != field})


@pytest.mark.redis
def test_an_entry_of_which_nothing_was_taken_needs_no_body_and_makes_no_rows(shop: Shop) -> None:
    shop.send(event("purchase", item="A", customer_id="c"))
    (entry,) = entries(shop)
    for empty in (msgspec.msgpack.encode([]), b""):
        nothing = {b"c": entry[b"c"], b"o": empty}
        found = arrival_of(nothing)
        assert (found.row, found.events, found.purchases) == (None, 0, [])


@pytest.mark.redis
def test_says_when_an_entry_makes_no_rows(shop: Shop) -> None:
    shop.send(event())
    (entry,) = entries(shop)
    (sound,) = msgspec.msgpack.decode(entry[b"o"])
    no_such_year, no_such_event = [*sound], [*sound]
    no_such_year[3], no_such_event[0] = 10**18, 1
    for outcome in (no_such_year, no_such_event):
        with pytest.raises(BadEntry):
            arrival_of({**entry, b"o": msgspec.msgpack.encode([outcome])})
    with pytest.raises(BadEntry, match="it has 1 events, and number 1 was taken"):
        list(opened({**entry, b"o": msgspec.msgpack.encode([no_such_event])}))


@pytest.mark.redis
def test_a_receipt_adds_up_what_became_of_a_request(shop: Shop) -> None:
    shop.send(event(), event("search", 1))
    (entry,) = entries(shop)
    hour = int(shop.now.timestamp()) // 3600 * 3600
    assert arrival_of(entry).receipt == Receipt("demo", hour, 2, 0, 0, 0)
    context = msgspec.msgpack.decode(entry[b"c"])
    # Five events were offered and two of them new; two more without consent, one invalid, one an order that was known.
    told = entry | {b"c": msgspec.msgpack.encode(context | {"f": 5, "x": 2, "j": 1, "y": 1})}
    assert arrival_of(told).receipt == Receipt("demo", hour, 2, 4, 2, 1)
    nothing_new = {b"c": msgspec.msgpack.encode(context | {"f": 3}), b"o": b"\x90"}
    assert arrival_of(nothing_new).receipt == Receipt("demo", hour, 0, 3, 0, 0)


texts = st.text(max_size=40).filter(lambda text: not any(0xD800 <= ord(each) < 0xE000 for each in text))
money = st.one_of(
    st.decimals(0, 10**6, places=2), st.decimals(0, 5000, allow_nan=False, allow_infinity=False), st.integers(0, 10**7)
).map(str)
urls = st.one_of(
    texts,
    st.sampled_from(["/p/a?utm_source=News&utm_medium=Email", "/?gclid=1", "/ä ö?x=%00", "//[x", ""]).map(
        lambda rest: f"https://shop.test{rest}"
    ),
)
items = st.fixed_dictionaries(
    {"item_id": texts.filter(bool)},
    optional={
        "item_name": texts, "item_brand": texts, "item_category": texts, "price": money, "url": urls, "image": urls,
        "quantity": st.integers(0, 1000), "item_variant": texts, "made_up": texts,
    },
)  # fmt: skip
events = st.builds(
    lambda kind, second, given, lines: event(kind, second, **given) | ({"items": lines} if lines else {}),
    st.sampled_from(["page_view", "view_item_list", "sync_cart", "search", "login"]),
    st.floats(0, 59),
    st.fixed_dictionaries(
        {"currency": st.sampled_from(["EUR", "USD", "JPY"])},
        optional={
            "page": st.fixed_dictionaries({}, optional={"url": urls, "referrer": urls, "title": texts}),
            "customer_id": texts.filter(bool), "value": money, "transaction_id": texts.filter(bool),
            "content": st.fixed_dictionaries({"kind": st.just("ad"), "id": texts.filter(bool)}),
            "response_code": texts.filter(bool), "decision_id": texts.filter(bool), "placement": texts.filter(bool),
            "search_term": texts, "consent": st.sampled_from(["granted", "denied"]),
            "properties": st.dictionaries(
                texts.filter(bool), st.one_of(texts, st.integers(-(2**70), 2**70), st.booleans(), st.floats(allow_nan=False))
            ),
        },
    ),
    st.lists(items, max_size=4),
)  # fmt: skip


def made_up(examples: int) -> Any:
    """A test of lists of events, always the same ones."""
    quiet = list(hypothesis.HealthCheck)
    # Without making a failure smaller: that takes minutes, and the first row that differs says enough.
    phases = [hypothesis.Phase.generate]
    settings = hypothesis.settings(
        max_examples=examples, deadline=None, derandomize=True, suppress_health_check=quiet, database=None, phases=phases
    )
    return lambda test: settings(hypothesis.given(sent=st.lists(events, min_size=10, max_size=30))(test))


@pytest.mark.redis
@pytest.mark.clickhouse
@made_up(3)
def test_the_history_makes_the_rows_that_the_plain_way_makes(shop: Shop, history: History, sent: list[Any]) -> None:
    assert_same_rows(shop, history, sent)


@pytest.mark.long
@pytest.mark.redis
@pytest.mark.clickhouse
@made_up(100)
def test_the_history_makes_the_same_rows_of_many_events(shop: Shop, history: History, sent: list[Any]) -> None:
    assert_same_rows(shop, history, sent)


def assert_same_rows(shop: Shop, history: History, sent: list[Any]) -> None:
    for partition in range(8):
        shop.redis.delete(keys.events(partition))
    agents = ["", "curl/8", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"]
    for number, each in enumerate(sent):
        if number % 5:
            shop.send(each, visitor=f"v-{number % 4}", headers={"user-agent": agents[number % 3]})
        else:
            shop.send_as_server(each, event("purchase", number, items=[("A", "L", number / 7, 3), ("B", "", 2, 1)]))
    rows, plain = stored(shop, history), stored_plainly(shop, history)
    assert len(rows) == len(plain) >= len(sent) / 2, "most of what is made up has to be valid"
    for row, expected in zip(rows, plain, strict=True):
        assert row == expected


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
    assert stored(shop, history) == stored_plainly(shop, history)
    assert history.rows("SELECT max(cart_value), max(item_prices[1]), min(value) FROM events") == [
        (Decimal(1_000_000_000), Decimal(1_000_000_000), Decimal(0)),
    ]
