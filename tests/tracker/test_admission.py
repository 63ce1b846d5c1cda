"""Who may send, and that nothing is kept of those who do not want it."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from baliza.sites import Site, load_sites
from baliza.stores import RedisClient
from schema import keys
from tests.support.collecting import Shop, event
from tracker.admission import Sender, cors_headers, known_visitor, said_consent, visitor_cookie
from tracker.request import Answer, Request

NOTHING = {keys.SITES.encode(), keys.INSTALLED.encode()}
SITE = Site("demo", "pk_demo", "", ("http://shop.test",))


def headers(answer: Answer) -> dict[str, str]:
    return dict(answer.headers)


def everything(redis: RedisClient) -> bytes:
    """All keys with all they hold, in one text."""
    found = b""
    for key in redis.scan_iter("*"):
        found += key + b"\n" + redis.dump(key)
        readers = {b"stream": redis.xrange, b"string": redis.get, b"hash": redis.hgetall, b"set": redis.smembers}
        found += repr(readers.get(redis.type(key), lambda _key: "")(key)).encode()
    return found


def strict(redis: RedisClient) -> None:
    """The site demo takes from now on only what says that it may be kept."""
    redis.hset(
        keys.SITES,
        "demo",
        msgspec.json.encode(msgspec.structs.replace(load_sites(redis).by_name["demo"], require_consent=True)),
    )


def assert_only_numbers(redis: RedisClient) -> None:
    """What is kept is that something came in this hour, and what became of it."""
    receipts = {keys.events(partition).encode() for partition in range(8)} & set(redis.keys("*"))
    assert set(redis.keys("*")) - receipts == NOTHING
    for _, fields in (entry for key in receipts for entry in redis.xrange(key)):
        said = msgspec.msgpack.decode(fields.pop(b"c"))
        assert fields == {b"o": b"\x90"}
        assert said.pop("r") % 3_600_000 == 0
        assert said.pop("v") == ""
        assert said.keys() <= {"s", "d", "t", "f", "x", "j", "y"}


def refused(shop: Shop, *events: Mapping[str, Any], **given: Any) -> Answer:
    answer = shop.send(*events, **given)
    assert_only_numbers(shop.redis)
    return answer


@pytest.mark.redis
@pytest.mark.parametrize("signal", ["sec-gpc", "dnt"])
def test_of_a_visitor_who_opted_out_nothing_is_stored(shop: Shop, signal: str) -> None:
    purchase = event("purchase", item=("A", "Light", 5), customer_id="anna")
    answer = refused(shop, event(), event("add_to_cart", item="A"), purchase, headers={signal: "1"})
    assert (answer.status, answer.body) == (202, b"")
    assert headers(answer) == {"X-Baliza-Dropped": "consent", "X-Baliza-Count": "accepted=0, consent=3"}


@pytest.mark.redis
@pytest.mark.parametrize("value", ["0", "", "null", "unspecified"])
def test_a_signal_that_does_not_say_yes_is_none(shop: Shop, value: str) -> None:
    assert headers(shop.send(event(), headers={"dnt": value, "sec-gpc": value})) == {}


@pytest.mark.redis
def test_not_even_the_bad_events_of_a_visitor_who_opted_out_are_kept(shop: Shop) -> None:
    answer = refused(shop, event(customer_id="anna", colour="red"), event(), headers={"sec-gpc": "1"})
    assert msgspec.json.decode(answer.body)["consent"] == 1
    refused(shop, event(customer_id="anna", consent="denied", colour="red"))
    refused(shop, event(customer_id="anna", consent="perhaps"))


@pytest.mark.redis
def test_denied_consent_leaves_no_trace_and_no_cookie(shop: Shop) -> None:
    refused(shop, event(consent="denied", customer_id="anna"))
    answer = shop.post({"key": "pk_demo", "events": [event("consent", consent="denied")]})
    assert headers(answer) == {"X-Baliza-Dropped": "consent", "X-Baliza-Count": "accepted=0, consent=1"}
    assert_only_numbers(shop.redis)


@pytest.mark.redis
def test_beside_an_event_that_may_be_kept_the_other_leaves_no_trace(shop: Shop) -> None:
    secret = event(
        "search", 1, search_term="very-private", consent="denied", customer_id="anna", properties={"a": "own-affair"}
    )
    answer = shop.send(event(), secret, event("view_item", 2, item=("LAMP", "Light", 39.9)))
    assert headers(answer)["X-Baliza-Count"] == "accepted=2, consent=1"
    kept = everything(shop.redis)
    assert b"LAMP" in kept
    assert not re.search(b"very-private|anna|own-affair|denied", kept)


@pytest.mark.redis
def test_a_site_that_requires_consent_takes_only_what_has_it(shop: Shop) -> None:
    strict(shop.redis)
    shop.collector.registry = load_sites(shop.redis)
    assert headers(refused(shop, event()))["X-Baliza-Dropped"] == "consent"
    refused(shop, event(colour="red"))
    assert "Set-Cookie" not in headers(shop.post({"key": "pk_demo", "events": [event()]}))
    assert_only_numbers(shop.redis)
    assert headers(shop.send(event(consent="granted"))) == {}
    shop.send(event(consent="granted", colour="red"), event(consent="granted"))
    assert sum(shop.redis.xlen(keys.quarantine(n)) for n in range(8)) == 1


@pytest.mark.redis
def test_a_servers_own_headers_say_nothing_about_the_visitor(shop: Shop) -> None:
    server = {"authorization": "Bearer sk_demo", "dnt": "1"}
    assert headers(shop.post({"visitor": "v-1", "events": [event()]}, server)) == {}
    assert shop.tallies[-1].taken == 1


@pytest.mark.redis
def test_a_browser_without_visitor_gets_a_cookie(shop: Shop) -> None:
    answer = shop.post({"key": "pk_demo", "events": [event()]})
    assert headers(answer) == {"Set-Cookie": "bz_v=new-1; Max-Age=33696000; Path=/; HttpOnly; SameSite=Lax"}
    assert shop.redis.exists(keys.visitor(keys.partition_of("new-1", 8), "demo", "new-1"))


@pytest.mark.redis
@pytest.mark.parametrize(
    ("cookie", "visitor"),
    [
        ("bz_v=v-known", "v-known"),
        ("a=1; bz_v=v-known; b=2", "v-known"),
        ("xbz_v=v-other", "new-1"),
        ("bz_v=", "new-1"),
        ("bz_v=a b", "new-1"),
        ('bz_v="quoted"', "new-1"),
        ("bz_v=" + "v" * 101, "new-1"),
        ("bz_v=a\r\nb", "new-1"),
    ],
)
def test_a_cookie_that_we_made_names_the_visitor_and_another_does_not(shop: Shop, cookie: str, visitor: str) -> None:
    answer = shop.post({"key": "pk_demo", "events": [event()]}, {"cookie": cookie})
    assert ("Set-Cookie" in headers(answer)) == (visitor == "new-1")
    assert shop.redis.exists(keys.visitor(keys.partition_of(visitor, 8), "demo", visitor))


@pytest.mark.redis
def test_the_visitor_of_the_batch_comes_before_the_cookie(shop: Shop) -> None:
    assert headers(shop.send(event(), headers={"cookie": "bz_v=v-cookie"})) == {}
    assert shop.redis.exists(keys.visitor(keys.partition_of("v-1", 8), "demo", "v-1"))


def test_cookies_are_for_https_only_unless_told_otherwise() -> None:
    assert visitor_cookie("v", secure=True)[1] == "bz_v=v; Max-Age=33696000; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert 33_696_000 <= 396 * 86_400  # 13 months
    assert known_visitor(Request("POST", "/o", {"cookie": "bz_v=v"}, b"", "")) == "v"


@pytest.mark.redis
def test_pages_of_the_shop_may_read_the_answer(shop: Shop) -> None:
    found = headers(shop.send(event(), headers={"origin": "http://shop.test"}))
    assert found == {
        "Access-Control-Allow-Origin": "http://shop.test",
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "X-Baliza-Dropped, X-Baliza-Count, Retry-After",
        "Vary": "Origin",
    }
    problem = shop.post(b"", {"origin": "http://shop.test"})
    assert (problem.status, headers(problem)["Access-Control-Allow-Origin"]) == (400, "http://shop.test")


@pytest.mark.redis
@pytest.mark.parametrize(
    "origin", ["http://evil.test", "https://shop.test", "http://shop.test:81", "http://shop.test.evil", "null"]
)
def test_foreign_pages_may_not_send_and_hear_so(shop: Shop, origin: str) -> None:
    answer = refused(shop, event(), headers={"origin": origin})
    # Who cannot read the refusal takes it for a broken network and tries for ever.
    assert (answer.status, headers(answer)["Access-Control-Allow-Origin"]) == (403, origin)
    assert "Access-Control-Allow-Credentials" not in headers(answer)
    assert shop.post(b"", {"origin": origin}, method="OPTIONS") == Answer(204, [])


@pytest.mark.redis
def test_who_has_no_origin_needs_none(shop: Shop) -> None:
    assert shop.send(event()) == Answer(202, [])


@pytest.mark.redis
def test_a_preflight_is_answered_for_an_hour(shop: Shop) -> None:
    answer = shop.post(b"", {"origin": "http://shop.test", "access-control-request-method": "POST"}, method="OPTIONS")
    assert (answer.status, answer.body) == (204, b"")
    found = headers(answer)
    assert (found["Access-Control-Allow-Methods"], found["Access-Control-Max-Age"]) == ("POST", "3600")
    assert found["Access-Control-Allow-Headers"] == "Content-Type, Authorization"


@pytest.mark.redis
def test_without_keys_known_nothing_is_taken(shop: Shop) -> None:
    shop.collector.registry = None
    for answer in (shop.send(event()), shop.send_as_server(event())):
        assert (answer.status, headers(answer)["Retry-After"]) == (503, "2")
    assert shop.post(b"", {}, "/o.gif?key=pk_demo", "GET").status == 503
    assert cors_headers(Request("POST", "/o", {"origin": "http://shop.test"}, b"", ""), None) == []


@pytest.mark.parametrize(
    ("consent", "asked", "strictly"),
    [(None, True, False), ("granted", True, True), ("denied", False, False), ("maybe", False, False), (True, False, False)],
)
def test_only_what_was_said_counts_as_consent(consent: object, asked: bool, strictly: bool) -> None:
    strict_site = msgspec.structs.replace(SITE, require_consent=True)
    assert Sender(SITE, "browser", opted_out=False).allows(consent) is asked
    assert Sender(strict_site, "browser", opted_out=False).allows(consent) is strictly
    assert Sender(SITE, "browser", opted_out=True).allows(consent) is False


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"consent": "denied", "x": [}', None),
        (b'{"consent": "denied", "x": 1}', "denied"),
        (b"5", None),
        (b"[" * 5000, None),
    ],
)
def test_reads_the_consent_of_what_cannot_be_taken(raw: bytes, said: object) -> None:
    assert said_consent(raw) == said
