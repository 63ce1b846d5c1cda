"""What shops get wrong, sent to the collector as it runs in production: each with the exact status and the exact words."""

import gzip
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest

from schema.events import EVENT_TYPES
from tests.support.collecting import event
from tests.support.collector import RunningCollector

pytestmark = pytest.mark.redis

NOW = datetime.now(UTC).replace(microsecond=0)
TIME = 'a time with zone like "2026-11-21T10:00:04.000Z"'
TEXT_100 = "text of 1 to 100 characters"
JSON_UTF8 = "expected a JSON object in UTF-8, got"


def wire(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


FUTURE, OLD = wire(NOW + timedelta(hours=2)), wire(NOW - timedelta(hours=80))


def one(**fields: Any) -> dict[str, Any]:
    """A sound event but for these fields; a field that is ... is left out."""
    made = {"event_id": "e-1", "type": "page_view", "occurred_at": wire(NOW)} | fields
    return {name: value for name, value in made.items() if value is not ...}


def batch(*events: Any, **fields: Any) -> bytes:
    given = {"key": "pk_demo", "visitor": "v-bad", "events": list(events)} | fields
    return json.dumps({name: value for name, value in given.items() if value is not ...}).encode()


def raw(fields: str) -> bytes:
    """A batch of one event with these fields as they stand."""
    sound = f'"event_id": "e-1", "type": "page_view", "occurred_at": "{wire(NOW)}"'
    return f'{{"key": "pk_demo", "visitor": "v-bad", "events": [{{{sound}, {fields}}}]}}'.encode()


def item(**fields: Any) -> dict[str, Any]:
    return one(type="view_item", currency="EUR", items=[{"item_id": "LAMP"} | fields])


def buy(**fields: Any) -> dict[str, Any]:
    return one(**{"type": "purchase", "transaction_id": "T-bad", "items": [{"item_id": "LAMP"}]} | fields)


class Bad(NamedTuple):
    name: str
    body: bytes
    status: int
    words: str
    headers: Mapping[str, str] = {}
    method: str = "POST"


def at(path: str, expected: str, got: str) -> str:
    return f"expected {expected}, got {got} at events[0]{path}"


SERVER = {"Authorization": "Bearer sk_demo"}
SOUND = batch(one())
KINDS = "product, category, ad, promotion, editorial, subscription"
BODIES = [
    Bad("an empty body", b"", 400, f"{JSON_UTF8} nothing"),
    Bad("blanks", b" \r\n ", 400, f"{JSON_UTF8} nothing"),
    Bad("JSON that breaks off", SOUND[:-9], 400, f"{JSON_UTF8} JSON that breaks off"),
    Bad("a form", b"key=pk_demo&event=view", 400, f"{JSON_UTF8} broken JSON: invalid character (byte 0)"),
    Bad("more after the end", b'{"events": []} x', 400, f"{JSON_UTF8} broken JSON: trailing characters (byte 16)"),
    Bad("NaN", raw('"value": NaN'), 400, f"{JSON_UTF8} broken JSON: invalid character (byte 139)"),
    Bad("Infinity", raw('"value": Infinity'), 400, f"{JSON_UTF8} broken JSON: invalid character (byte 139)"),
    Bad("a raw NUL", raw('"coupon": "a\0b"'), 400, f"{JSON_UTF8} broken JSON: invalid character (byte 142)"),
    Bad("a list", b"[]", 400, "expected an object, got []"),
    Bad("null", b"null", 400, "expected an object, got null"),
    Bad("text", b'"hello"', 400, 'expected an object, got "hello"'),
    Bad("UTF-16", SOUND.decode().encode("utf-16"), 400, f"{JSON_UTF8} UTF-16"),
    Bad("UTF-16 without mark", SOUND.decode().encode("utf-16-le"), 400, f"{JSON_UTF8} UTF-16"),
    Bad("a byte order mark", b"\xef\xbb\xbf" + SOUND, 400, f"{JSON_UTF8} a byte order mark in front of it"),
    Bad("gzip that does not say so", gzip.compress(SOUND), 400, f"{JSON_UTF8} gzip"),
    Bad("gzip that says so", gzip.compress(SOUND), 400, "expected a body without content encoding, got gzip",
        {"Content-Encoding": "gzip"}),
    Bad("100,000 levels", b'{"events": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400,
        f"{JSON_UTF8} one that is nested too deeply"),
    Bad("100,000 levels of objects", b'{"a":' * 80_000 + b"1" + b"}" * 80_000, 400,
        'expected only the fields events, key, visitor, sent_at and user_agent, got "a"'),
    Bad("no events", b'{"key": "pk_demo"}', 400, "expected the field events, got none"),
    Bad("0 events", batch(), 400, "expected a list of 1 to 1000 events, got no events at events"),
    Bad("1,001 events", batch(*[one()] * 1001), 400, "expected a list of 1 to 1000 events, got 1001 events at events"),
    Bad("events of another kind", batch(events=5), 400, "expected a list of 1 to 1000 events, got 5 at events"),
    Bad("an unknown field of the batch", batch(one(), site="demo"), 400,
        'expected only the fields events, key, visitor, sent_at and user_agent, got "site"'),
    Bad("an empty visitor", batch(one(), visitor=""), 400, f'expected {TEXT_100}, got "" at visitor'),
    Bad("a visitor that is a number", batch(one(), visitor=7), 400, f"expected {TEXT_100}, got 7 at visitor"),
    Bad("a visitor of 101 characters", batch(one(), visitor="v" * 101), 400,
        f"expected {TEXT_100}, got 101 characters at visitor"),
    Bad("a NUL in the visitor", batch(one(), visitor="a\0b"), 400,
        'expected text without NUL characters, got "…\\u0000…" at visitor'),
    Bad("a server without visitor", batch(one(), visitor=...), 400, "expected the field visitor from a server, got none",
        SERVER),
    Bad("a wrong field before broken JSON", b'{"visitor": 5, "events": [}', 400,
        f"expected {TEXT_100}, got something else at visitor"),
    Bad("sent_at without zone", batch(one(), sent_at="2026-11-21T10:00:00"), 400,
        f'expected {TIME}, got "2026-11-21T10:00:00" at sent_at'),
]  # fmt: skip
SENDERS = [
    Bad("no key", batch(one(), key=...), 401,
        'expected the publishable key as "key" (or the secret key as bearer), got none'),
    Bad("an unknown key", batch(one(), key="pk_nobody"), 401,
        "'pk_nobody' is not the publishable key of any site; `baliza site list` shows them"),
    Bad("an unknown secret", SOUND, 401,
        "the bearer key is not the secret key of any site; `baliza site list` shows the sites",
        {"Authorization": "Bearer sk_nobody"}),
    Bad("another scheme", SOUND, 401, "expected the header `Authorization: Bearer sk_…`, got another scheme",
        {"Authorization": "Basic c2tfZGVtbzo="}),
    Bad("a foreign origin", SOUND, 403,
        "the site demo does not allow the origin http://evil.test; `baliza site origins` changes that",
        {"Origin": "http://evil.test"}),
    Bad("the origin of a file", SOUND, 403,
        "the site demo does not allow the origin null; `baliza site origins` changes that", {"Origin": "null"}),
    Bad("GET", b"", 405, "expected POST /o, got GET", {}, "GET"),
    Bad("DELETE", b"", 405, "expected POST /o, got DELETE", {}, "DELETE"),
]  # fmt: skip
EVENTS = [
    Bad("an event that is a number", batch(5), 400, "expected an object, got 5 at events[0]"),
    Bad("no event_id", batch(one(event_id=...)), 400, at("", "the field event_id", "none")),
    Bad("an empty event_id", batch(one(event_id="")), 400, at(".event_id", TEXT_100, '""')),
    Bad("an event_id of 101 characters", batch(one(event_id="e" * 101)), 400, at(".event_id", TEXT_100, "101 characters")),
    Bad("an event_id that is null", batch(one(event_id=None)), 400, at(".event_id", TEXT_100, "null")),
    Bad("no type", batch(one(type=...)), 400, at("", "the field type", "none")),
    Bad("no time", batch(one(occurred_at=...)), 400, at("", "the field occurred_at", "none")),
    Bad("a time without zone", batch(one(occurred_at="2026-11-21T10:00:00")), 400,
        at(".occurred_at", TIME, '"2026-11-21T10:00:00"')),
    Bad("a date only", batch(one(occurred_at="2026-11-21")), 400, at(".occurred_at", TIME, '"2026-11-21"')),
    Bad("a number for a time", batch(one(occurred_at=1763719204)), 400, at(".occurred_at", TIME, "1763719204")),
    Bad("the future", batch(one(occurred_at=FUTURE)), 400,
        at(".occurred_at", "a time that is not in the future", f'"{FUTURE}"')),
    Bad("too late", batch(one(occurred_at=OLD)), 400,
        at(".occurred_at", "a time of the last 72 hours (older ones need the secret key)", f'"{OLD}"')),
    Bad("1969 by a browser", batch(one(occurred_at="1969-12-31T23:59:59Z")), 400,
        at(".occurred_at", "a time of the last 72 hours (older ones need the secret key)", '"1969-12-31T23:59:59Z"')),
    Bad("1969 by a server", batch(one(occurred_at="1969-12-31T23:59:59Z")), 400,
        at(".occurred_at", "a time after 1999", '"1969-12-31T23:59:59Z"'), SERVER),
    Bad("year 1 by a server", batch(one(occurred_at="0001-01-01T00:00:00+14:00")), 400,
        at(".occurred_at", "a time after 1999", '"0001-01-01T00:00:00+14:00"'), SERVER),
    Bad("an unknown field", batch(one(colour="red")), 400,
        at("", "known fields only (your own belong into properties)", '"colour"')),
    Bad("an unknown field of the page", batch(one(page={"path": "/"})), 400,
        at(".page", "only the fields url, referrer and title", '"path"')),
    Bad("a page that is text", batch(one(page="/lamp")), 400,
        at(".page", "an object with url, referrer and title", '"/lamp"')),
    Bad("a URL that is a number", batch(one(page={"url": 5})), 400, at(".page.url", "text", "5")),
    Bad("a URL of 2,049 characters", batch(one(page={"url": "u" * 2049})), 400,
        at(".page.url", "text of at most 2048 characters", "2049 characters")),
    Bad("a search term of 201 characters", batch(one(search_term="s" * 201)), 400,
        at(".search_term", "text of at most 200 characters", "201 characters")),
    Bad("a customer that is a number", batch(one(customer_id=42)), 400, at(".customer_id", TEXT_100, "42")),
    Bad("consent: maybe", batch(one(consent="maybe")), 400, at(".consent", '"granted" or "denied"', '"maybe"')),
    Bad("a consent event that says nothing", batch(one(type="consent")), 400,
        at(".consent", '"granted" or "denied" in a consent event', "none")),
    Bad("Latin-1", raw('"search_term": "lámpara"').decode().encode("latin-1"), 400,
        at("", "an event as JSON in UTF-8", "bytes that are not UTF-8")),
    Bad("Latin-1 where nobody looks", raw('"items": [{"item_id": 5, "size": "\xfc"}]').decode().encode("latin-1"), 400,
        at(".items[0].item_id", TEXT_100, "something else")),
    Bad("a NUL in a value", batch(one(search_term="a\0b")), 400,
        at(".search_term", "text without NUL characters", '"…\\u0000…"')),
    Bad("a NUL in a key", batch(one(properties={"a\0b": 1})), 400,
        at(".properties", "text without NUL characters", '"…\\u0000…"')),
    Bad("a NUL in the shop's own item field", batch(item(size={"text": ["\0"]})), 400,
        at(".items[0].size.text[0]", "text without NUL characters", '"…\\u0000…"')),
    Bad("1,000 levels in one event", raw('"items": [{"item_id": "A", "x": ' + "[" * 5000 + "]" * 5000 + "}]"), 400,
        f"{JSON_UTF8} one that is nested too deeply"),
    Bad("a key twice, the first wrong", raw('"page": {"url": 5}, "page": 7'), 400,
        at(".page.url", "text", "something else")),
    Bad("a list twice, the first wrong", raw('"items": [{"item_id": 5}], "items": []'), 400,
        at(".items[0].item_id", TEXT_100, "something else")),
    Bad("a wrong field and 1e400", raw('"coupon": 5, "value": 1e400'), 400, at(".coupon", "text", "5")),
    Bad("an event of 40 KB", batch(one(coupon="c" * 40_000)), 413,
        at("", "an event of at most 32768 bytes", f"{len(json.dumps(one(coupon='c' * 40_000)))} bytes")),
    Bad("two bad events", batch(one(type=5), one(type=6)), 400,
        at(".type", "one of {types}", "5") + " (and 1 more events with errors)"),
    Bad("an unknown type", batch(one(type="pageview")), 400, at(".type", "one of {types}", '"pageview"')),
]  # fmt: skip
PRODUCTS = [
    Bad("items that are an object", batch(one(items={"item_id": "A"})), 400,
        at(".items", "a list of at most 200 items", '{"item_id":"A"}')),
    Bad("201 items", batch(one(items=[{"item_id": "A"}] * 201)), 400,
        at(".items", "a list of at most 200 items", "a list of 201")),
    Bad("10,000 items", batch(one(items=[{"item_id": "A"}] * 10_000)), 413,
        at("", "an event of at most 32768 bytes", f"{len(json.dumps(one(items=[{'item_id': 'A'}] * 10_000)))} bytes")),
    Bad("an item that is text", batch(one(items=["LAMP"])), 400,
        at(".items[0]", "an object with at least item_id", '"LAMP"')),
    Bad("an item without id", batch(one(items=[{"price": 5}])), 400, at(".items[0]", "the field item_id", "none")),
    Bad("an item with an empty id", batch(item(item_id="")), 400, at(".items[0].item_id", TEXT_100, '""')),
    Bad("an item id that is a number", batch(item(item_id=5)), 400, at(".items[0].item_id", TEXT_100, "5")),
    Bad("an item name that is a list", batch(item(item_name=["a"])), 400, at(".items[0].item_name", "text", '["a"]')),
    Bad("a price below 0", batch(item(price=-0.01)), 400, at(".items[0].price", "number ≥ 0", "-0.01")),
    Bad("a price that is text", batch(item(price="abc")), 400, at(".items[0].price", "number ≥ 0", '"abc"')),
    Bad("a price with a sign of money", batch(item(price="€ 5")), 400, at(".items[0].price", "number ≥ 0", '"€ 5"')),
    Bad("a price that is true", batch(item(price=True)), 400, at(".items[0].price", "number ≥ 0", "true")),
    Bad("a price that is a list", batch(item(price=[5])), 400, at(".items[0].price", "number ≥ 0", "[5]")),
    Bad("a price of NaN as text", batch(item(price="NaN")), 400, at(".items[0].price", "number ≥ 0", "NaN")),
    Bad("a price of Infinity as text", batch(item(price="Infinity")), 400, at(".items[0].price", "number ≥ 0", "Infinity")),
    Bad("a price of 1e400", raw('"items": [{"item_id": "A", "price": 1e400}]'), 400,
        at(".items[0].price", "number ≤ 1000000000", "1E+400")),
    Bad("a price over the limit", batch(item(price=1_000_000_000.01)), 400,
        at(".items[0].price", "number ≤ 1000000000", "1000000000.01")),
    Bad("a discount below 0", batch(item(discount=-5)), 400, at(".items[0].discount", "number ≥ 0", "-5")),
    Bad("a quantity below 0", batch(item(quantity=-1)), 400,
        at(".items[0].quantity", "a whole number from 0 to 100000", "-1")),
    Bad("a quantity of 1.5", batch(item(quantity=1.5)), 400,
        at(".items[0].quantity", "a whole number from 0 to 100000", "1.5")),
    Bad("a quantity over the limit", batch(item(quantity=100_001)), 400,
        at(".items[0].quantity", "a whole number from 0 to 100000", "100001")),
    Bad("a quantity that is text", batch(item(quantity="2")), 400,
        at(".items[0].quantity", "a whole number from 0 to 100000", '"2"')),
    Bad("add_to_cart without items", batch(one(type="add_to_cart")), 400,
        at(".items", "at least one item in a add_to_cart", "none")),
    Bad("a currency in small letters", batch(one(value=5, currency="eur")), 400,
        at(".currency", 'an ISO 4217 code like "EUR"', '"eur"')),
    Bad("a currency that is none", batch(one(value=5, currency="XQQ")), 400,
        at(".currency", 'an ISO 4217 code like "EUR"', '"XQQ"')),
    Bad("a value without currency", batch(one(value=5)), 400, at(".currency", "an ISO 4217 code with a value", "none")),
    Bad("a value that is text", batch(one(value="abc", currency="EUR")), 400, at(".value", "number ≥ 0", '"abc"')),
    Bad("a value below 0", batch(one(value=-5, currency="EUR")), 400, at(".value", "number ≥ 0", "-5")),
    Bad("a tax that is an object", batch(one(tax={})), 400, at(".tax", "number ≥ 0", "{}")),
    Bad("shipping over the limit", batch(one(shipping=2e9)), 400, at(".shipping", "number ≤ 1000000000", "2000000000.0")),
    Bad("a purchase without transaction_id", batch(buy(transaction_id=...)), 400,
        at(".transaction_id", "the order's id in a purchase", "none")),
    Bad("a purchase with prices and no currency", batch(buy(items=[{"item_id": "A", "price": 5}])), 400,
        at(".currency", "an ISO 4217 code with prices in a purchase", "none")),
    Bad("a purchase beyond what can be summed up",
        batch(buy(currency="EUR", items=[{"item_id": "A", "price": 1_000_000_000, "quantity": 100_000}])), 400,
        at(".items", "items worth at most 1000000000 in all", "100000000000000")),
]  # fmt: skip
OTHERS = [
    Bad("26 properties", batch(one(properties={str(number): 1 for number in range(26)})), 400,
        at(".properties", "an object of at most 25 entries", "an object of 26")),
    Bad("properties that are a list", batch(one(properties=["a"])), 400,
        at(".properties", "an object of at most 25 entries", '["a"]')),
    Bad("a nested property", batch(one(properties={"sound": 1, "size": {"w": 2}})), 400,
        at(".properties.size", "text of at most 500 characters, a number, true or false", '{"w":2}')),
    Bad("a property that is null", batch(one(properties={"size": None})), 400,
        at(".properties.size", "text of at most 500 characters, a number, true or false", "null")),
    Bad("a property of 501 characters", batch(one(properties={"size": "s" * 501})), 400,
        at(".properties.size", "text of at most 500 characters, a number, true or false", "501 characters")),
    Bad("a property of 1e999", raw('"properties": {"size": 1e999}'), 400,
        at(".properties.size", "text of at most 500 characters, a number, true or false", "1E+999")),
    Bad("a property name of 51 characters", batch(one(properties={"n" * 51: 1})), 400,
        at(".properties", "property names of 1 to 50 characters", "51 characters")),
    Bad("a property without name", batch(one(properties={"": 1})), 400,
        at(".properties", "property names of 1 to 50 characters", "0 characters")),
    Bad("faro_view without content", batch(one(type="faro_view")), 400,
        at(".content", "kind and id of what was seen in a faro_view", "none")),
    Bad("a faro of an unknown kind", batch(one(type="faro_view", content={"kind": "banner", "id": "b"})), 400,
        at(".content.kind", f"one of {KINDS}", '"banner"')),
    Bad("a faro without id", batch(one(type="faro_click", content={"kind": "ad"})), 400,
        at(".content", "the field id", "none")),
    Bad("a faro with more", batch(one(type="faro_click", content={"kind": "ad", "id": "a", "x": 1})), 400,
        at(".content", "only the fields kind and id", '"x"')),
    Bad("a huge body", batch(*[one(coupon="c" * 300)] * 1000) + b" " * 300_000, 413,
        "expected a body of at most 524288 bytes, got {size}"),
]  # fmt: skip
TABLE = BODIES + SENDERS + EVENTS + PRODUCTS + OTHERS


TYPES = ", ".join(EVENT_TYPES)


def in_full(bad: Bad) -> str:
    return bad.words.replace("{types}", TYPES).replace("{size}", str(len(bad.body)))


@pytest.fixture(scope="module")
def client(collector: RunningCollector) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=collector.url, timeout=20) as made:
        yield made


def test_the_table_is_long_and_its_names_are_unique() -> None:
    assert len({bad.name for bad in TABLE}) == len(TABLE) >= 100


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
def test_says_what_is_wrong(client: httpx.Client, bad: Bad) -> None:
    answer = client.request(bad.method, "/o", content=bad.body, headers=bad.headers)
    assert (answer.status_code, answer.json()["detail"]) == (bad.status, in_full(bad))
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == bad.status


ALONE = [bad for bad in EVENTS + PRODUCTS if "events[0]" in bad.words and "(and" not in bad.words]


@pytest.mark.parametrize("bad", ALONE, ids=lambda bad: bad.name)
def test_a_bad_event_does_not_take_the_good_ones_with_it(client: httpx.Client, bad: Bad) -> None:
    good = [event(at=datetime.now(UTC)) for _ in range(2)]
    start = bad.body.index(b'"events": [') + len(b'"events": [')
    first, second = (json.dumps(each).encode() for each in good)
    body = bad.body[:start] + first + b", " + bad.body[start:].removesuffix(b"]}") + b", " + second + b"]}"
    answer = client.post("/o", content=body, headers=bad.headers)
    assert answer.status_code == 200
    assert answer.json() == {
        "accepted": 2,
        "rejected": [{"index": 1, "error": in_full(bad).replace("events[0]", "events[1]")}],
    }


def test_after_all_of_them_the_next_good_event_is_recorded(client: httpx.Client) -> None:
    for bad in TABLE:
        client.request(bad.method, "/o", content=bad.body, headers=bad.headers)
    good = event("view_item", at=datetime.now(UTC), item=("LAMP", "Light", 39.9))
    assert client.post("/o", content=batch(good, visitor="v-good")).status_code == 202
    session = client.get("/v1/sessions/current", params={"visitor": "v-good"}, headers=SERVER).json()
    assert [viewed["item_id"] for viewed in session["viewed"]] == ["LAMP"]
    assert session["events"] == 1


def test_what_is_too_late_for_a_browser_is_taken_from_a_server(client: httpx.Client) -> None:
    answer = client.post("/o", content=batch(one(occurred_at=OLD), key=..., visitor="v-old"), headers=SERVER)
    assert (answer.status_code, answer.content) == (202, b"")


def test_of_a_key_given_twice_the_last_one_counts(client: httpx.Client) -> None:
    answer = client.post("/o", content=raw('"coupon": "first", "coupon": "last"'))
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (r"cut in the middle of \ud83d", "cut in the middle of \ufffd"),
        (r"\uD83D and \uDCA1", "\ufffd and \ufffd"),
        (r"\ud83d\udca1 whole, \\ud83d told", "\U0001f4a1 whole, \\ud83d told"),
        (r"\\\ude00\ud83d\ud83d\udca1", "\\\ufffd\ufffd\U0001f4a1"),
    ],
)
def test_half_a_character_does_not_cost_a_batch(client: httpx.Client, sent: str, kept: str) -> None:
    visitor = f"v-{hash(sent)}"
    item = f'"type": "view_item", "items": [{{"item_id": "LAMP", "item_name": "{sent}"}}]'
    assert client.post("/o", content=raw(item).replace(b"v-bad", visitor.encode())).status_code == 202
    session = client.get("/v1/sessions/current", params={"visitor": visitor}, headers=SERVER).json()
    assert [viewed["item_name"] for viewed in session["viewed"]] == [kept]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("type=view_item", "expected at least one item in a view_item, got none at items"),
        ("value=abc&currency=EUR", 'expected number >= 0, got "abc" at value'),
        ("value=-1&currency=EUR", "expected number >= 0, got -1 at value"),
        ("title=%00", 'expected text without NUL characters, got "...\\u0000..." at page.title'),
        ("type=faro_view&content=banner:b", f'expected one of {KINDS}, got "banner" at content.kind'),
        (f"event_id={'e' * 101}", "expected text of 1 to 100 characters, got 101 characters at event_id"),
        (f"customer_id={'%0d%0aX: y' * 20}", "expected text of 1 to 100 characters, got 120 characters at customer_id"),
        ("type=" + quote("sucht\r\nX: ü"), 'expected one of {types}, got "sucht\\r\\nX: \\u00fc" at type'),
        ("visitor=" + "v" * 101, "expected text of 1 to 100 characters, got 101 characters at visitor"),
    ],
)
def test_a_pixel_says_it_in_a_header(client: httpx.Client, fields: str, words: str) -> None:
    answer = client.get(f"/o.gif?key=pk_demo&{fields}")
    assert (answer.status_code, answer.headers["x-baliza-error"]) == (400, words.replace("{types}", TYPES))
    assert len(answer.content) == 43
