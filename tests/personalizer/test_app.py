"""The personalizer over HTTP, on a real live store."""

import itertools
import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from baliza import stores
from baliza.embedded.valkey import EmbeddedValkey
from baliza.settings import Settings
from baliza.sites import CachedRegistry, Site, add_site
from baliza.stores import RedisClient
from personalizer.app import create_app
from personalizer.models.shelf import ModelShelf
from personalizer.models.store import ModelStore
from tests.personalizer.planted import NOW, NOW_MS, VISITOR, note_purchase, observe, planted_model

pytestmark = pytest.mark.redis
ORIGIN = {"Origin": "http://shop.test"}
SECRET = {"Authorization": "Bearer sk_demo"}
HOUR_MS = 3_600_000


def make_client(settings: Settings, redis: RedisClient) -> FlaskClient:
    numbers = itertools.count(1)
    registry = CachedRegistry(redis, time.monotonic)
    shelf = ModelShelf(ModelStore(settings.model_dir), time.monotonic)
    shelf.fill()
    settings = replace(settings, offer_budget_ms=1000)  # these tests are not about a machine's haste
    app = create_app(settings, redis, registry, shelf, lambda: NOW_MS, time.monotonic, lambda: f"d-{next(numbers)}")
    return app.test_client()


@pytest.fixture
def client(settings: Settings, redis_client: RedisClient, demo_site: Site) -> FlaskClient:
    ModelStore(settings.model_dir).save("demo", planted_model(), {}, NOW)
    return make_client(settings, redis_client)


def ask(client: FlaskClient, headers: dict[str, str] | None = None, **given: Any) -> dict[str, Any]:
    answer = client.get("/v1/offers", query_string={"key": "pk_demo"} | given, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.data)
    return found


def ids(answer: dict[str, Any]) -> list[str]:
    return [offer["item_id"] for offer in answer["offers"]]


def test_sees_what_the_visitor_just_did(client: FlaskClient, redis_client: RedisClient) -> None:
    observe(redis_client, VISITOR, "view_item", ["phone"])
    answer = ask(client, visitor=VISITOR, placement="product-detail", limit=2)
    assert (answer["decision_id"], answer["placement"], answer["fallback"]) == ("d-1", "product-detail", None)
    assert ids(answer)[0] == "case"
    assert len(answer["offers"]) == 2
    assert isinstance(answer["took_ms"], float)


def test_money_keeps_every_digit(client: FlaskClient) -> None:
    answer = client.get("/v1/offers?key=pk_demo&limit=1")
    assert b'"price":39.90,"currency":"EUR"' in answer.data
    assert json.loads(answer.data)["offers"][0]["response_code"] == "default.best_seller"


def test_never_offers_what_is_in_the_cart_or_just_bought(client: FlaskClient, redis_client: RedisClient) -> None:
    observe(redis_client, VISITOR, "purchase", ["case"])
    observe(redis_client, VISITOR, "add_to_cart", ["bulb", "rug"], at_ms=NOW_MS + 1)
    assert set(ids(ask(client, visitor=VISITOR, placement="cart", limit=50))) == {"lamp", "phone", "torch"}


def test_a_server_asks_with_the_secret_key(client: FlaskClient) -> None:
    answer = client.get("/v1/offers", headers=SECRET)
    assert answer.json is not None
    assert len(answer.json["offers"]) == 5


def test_without_a_visitor_the_page_decides(client: FlaskClient) -> None:
    answer = ask(client, item_id="lamp", placement="product-detail")
    assert (ids(answer)[0], answer["fallback"]) == ("bulb", "no_profile")


@pytest.mark.parametrize("signal", [{"Sec-GPC": "1"}, {"DNT": "1"}])
def test_a_visitor_who_does_not_want_it_is_not_looked_at(
    client: FlaskClient, redis_client: RedisClient, signal: dict[str, str]
) -> None:
    observe(redis_client, VISITOR, "add_to_cart", ["rug"])
    answer = ask(client, headers=signal, visitor=VISITOR)
    assert (ids(answer)[0], answer["fallback"]) == ("rug", "no_profile")
    assert ids(ask(client, headers=signal, visitor=VISITOR, item_id="phone", placement="product-detail"))[0] == "case"


def test_a_site_without_a_model_gets_an_empty_list(settings: Settings, redis_client: RedisClient, demo_site: Site) -> None:
    answer = ask(make_client(settings, redis_client), visitor=VISITOR)
    assert (answer["offers"], answer["fallback"]) == ([], "no_model")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("placement=Home%20Page", "placement: expected 1 to 50 of a-z, 0-9 and hyphen, got 'Home Page'"),
        ("placement=", "placement: expected"),
        (f"placement={'a' * 51}", "placement: expected"),
        ("limit=0", "limit: expected a whole number from 1 to 50, got '0'"),
        ("limit=51", "limit: expected a whole number from 1 to 50, got '51'"),
        ("limit=many", "limit: expected a whole number"),
        ("visitor=", "visitor: expected 1 to 100 characters, got 0"),
        (f"item_id={'x' * 101}", "item_id: expected 1 to 100 characters, got 101"),
    ],
)
def test_bad_arguments_are_told(client: FlaskClient, arguments: str, told: str) -> None:
    answer = client.get(f"/v1/offers?key=pk_demo&{arguments}", headers=ORIGIN)
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert answer.json is not None
    assert told in answer.json["detail"]
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sk_wrong"}])
def test_an_unknown_key_is_401(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.get("/v1/offers", headers=headers).status_code == 401
    assert client.get("/v1/offers?key=pk_wrong", headers=headers).status_code == 401


def test_lets_the_shops_own_pages_read_the_answer(client: FlaskClient) -> None:
    answer = client.get("/v1/offers?key=pk_demo", headers=ORIGIN)
    assert answer.headers["Access-Control-Allow-Origin"] == "http://shop.test"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in answer.headers["Vary"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_answers_a_preflight(client: FlaskClient) -> None:
    answer = client.options("/v1/offers?key=pk_demo", headers=ORIGIN)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Methods"]) == (204, "GET")
    assert answer.headers["Access-Control-Max-Age"] == "3600"


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_other_pages_may_not_read_it(client: FlaskClient, method: str) -> None:
    answer = client.open("/v1/offers?key=pk_demo", method=method, headers={"Origin": "http://evil.test"})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.status_code == {"GET": 403, "OPTIONS": 204}[method]


def test_an_error_inside_never_reaches_the_shop(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("personalizer.offers.deciding.decide", fail)
    answer = ask(client, visitor=VISITOR)
    assert (answer["offers"], answer["fallback"]) == ([], "no_model")
    assert "no offers for demo at default" in caplog.text


@dataclass
class OwnStore:
    """A live store that a test may kill."""

    server: EmbeddedValkey
    settings: Settings
    redis: RedisClient


@pytest.fixture
def own_store(settings: Settings, tmp_path: Path) -> Iterator[OwnStore]:
    server = EmbeddedValkey(tmp_path / "own")
    server.start()
    settings = replace(settings, redis_url=server.url)
    redis = stores.redis(settings)
    stores.install(redis, settings)
    add_site(redis, "demo", ["http://shop.test"], publishable_key="pk_demo", secret_key="sk_demo")
    ModelStore(settings.model_dir).save("demo", planted_model(), {}, NOW)
    yield OwnStore(server, settings, redis)
    redis.close()
    server.stop()


def kill(store: OwnStore) -> None:
    assert store.server.process is not None
    store.server.process.kill()
    store.server.process.wait()


def test_with_the_store_killed_best_sellers_come(own_store: OwnStore) -> None:
    client = make_client(own_store.settings, own_store.redis)
    observe(own_store.redis, VISITOR, "add_to_cart", ["rug"])
    assert "rug" not in ids(ask(client, visitor=VISITOR))
    kill(own_store)
    answer = ask(client, visitor=VISITOR)
    assert (ids(answer)[0], answer["fallback"]) == ("rug", "store_down")
    began = time.monotonic()
    again = ask(client, visitor=VISITOR)
    assert (ids(again)[0], again["fallback"]) == ("rug", "store_down")
    assert time.monotonic() - began < own_store.settings.redis_timeout_s  # it does not wait again for what just failed


def test_a_store_that_hangs_holds_up_one_request_only(own_store: OwnStore) -> None:
    own_store.settings = replace(own_store.settings, redis_timeout_s=0.3)
    redis = stores.redis(own_store.settings)
    client = make_client(own_store.settings, redis)
    ask(client, visitor=VISITOR)
    assert own_store.server.process is not None
    own_store.server.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert ask(client, visitor=VISITOR)["fallback"] == "store_down"
        first = time.monotonic() - began
        began = time.monotonic()
        assert [ask(client, visitor=VISITOR)["fallback"] for _ in range(20)] == ["store_down"] * 20
        assert time.monotonic() - began < 3, "twenty times the timeout would be 6 s"
        assert first >= 0.3
    finally:
        own_store.server.process.send_signal(signal.SIGCONT)
        redis.close()


def test_comes_back_with_the_store(own_store: OwnStore) -> None:
    client = make_client(own_store.settings, own_store.redis)
    observe(own_store.redis, VISITOR, "add_to_cart", ["rug"])
    ask(client, visitor=VISITOR)
    kill(own_store)
    ask(client, visitor=VISITOR)
    own_store.server.start()
    deadline = time.monotonic() + 20
    while (answer := ask(client, visitor=VISITOR))["fallback"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "rug" not in ids(answer)


def test_a_key_that_cannot_be_checked_gets_an_empty_list(own_store: OwnStore) -> None:
    kill(own_store)
    client = make_client(own_store.settings, own_store.redis)
    answer = ask(client, headers=ORIGIN, visitor=VISITOR)
    assert (answer["offers"], answer["fallback"]) == ([], "store_down")
    assert client.get("/ready").status_code == 503


def carts(client: FlaskClient, **given: Any) -> TestResponse:
    return client.get("/v1/carts/abandoned", query_string=given, headers=SECRET)


def fill(redis: RedisClient, visitor_id: str, hours: float, **given: Any) -> None:
    observe(redis, visitor_id, "add_to_cart", ["lamp", "bulb"], at_ms=NOW_MS - int(hours * HOUR_MS), **given)


def test_lists_abandoned_carts(client: FlaskClient, redis_client: RedisClient) -> None:
    fill(redis_client, "v-1", 2, customer_id="c-1")
    answer = carts(client)
    assert b'"value":79.80' in answer.data
    assert answer.json == {
        "carts": [
            {
                "visitor_id": "v-1", "customer_id": "c-1", "changed_at": "2026-11-21T10:00:00Z", "idle_s": 7200,
                "abandoned_at": None, "currency": "EUR", "value": 79.8, "pieces": 2,
                "lines": [
                    {"item_id": "lamp", "name": "Lamp", "category": "light", "quantity": 1, "price": 39.9},
                    {"item_id": "bulb", "name": "Bulb", "category": "light", "quantity": 1, "price": 39.9},
                ],
            }
        ],
        "next": None,
    }  # fmt: skip


def test_carts_come_in_pages(client: FlaskClient, redis_client: RedisClient) -> None:
    for hours in range(2, 7):
        fill(redis_client, f"v-{hours}", hours)
    found: list[str] = []
    arguments: dict[str, Any] = {"limit": 2}
    while True:
        page = carts(client, **arguments).json
        assert page is not None
        found += [cart["visitor_id"] for cart in page["carts"]]
        if page["next"] is None:
            break
        arguments["cursor"] = page["next"]
    assert found == ["v-2", "v-3", "v-4", "v-5", "v-6"]


def test_carts_of_a_period(client: FlaskClient, redis_client: RedisClient) -> None:
    for hours in range(2, 7):
        fill(redis_client, f"v-{hours}", hours)
    page = carts(client, since="2026-11-21T09:00:00+02:00", until="2026-11-21T09:00:00Z").json
    assert page is not None
    assert [cart["visitor_id"] for cart in page["carts"]] == ["v-4", "v-5"]


def test_a_cart_bought_in_another_session_is_not_listed(client: FlaskClient, redis_client: RedisClient) -> None:
    fill(redis_client, "phone", 2, customer_id="c-1")
    note_purchase(redis_client, "c-1", NOW_MS - HOUR_MS)
    assert carts(client).json == {"carts": [], "next": None}


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.get("/v1/carts/abandoned"),
        lambda client: client.get("/v1/carts/abandoned?key=pk_demo", headers=ORIGIN),
        lambda client: client.get("/v1/carts/abandoned", headers={"Authorization": "Bearer pk_demo"}),
    ],
)
def test_carts_need_the_secret_key(client: FlaskClient, call: Callable[[FlaskClient], TestResponse]) -> None:
    assert call(client).status_code == 401


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"since": "2026-11-21"}, "since: expected an instant such as 2026-11-21T10:00:00Z, got '2026-11-21'"),
        ({"until": "yesterday"}, "until: expected an instant"),
        ({"cursor": "nonsense"}, "cursor: expected the `next` of an earlier answer"),
        ({"limit": 501}, "limit: expected a whole number from 1 to 500"),
    ],
)
def test_bad_cart_arguments_are_told(client: FlaskClient, arguments: dict[str, Any], told: str) -> None:
    answer = carts(client, **arguments)
    assert answer.status_code == 400
    assert answer.json is not None
    assert told in answer.json["detail"]


def test_carts_say_when_the_store_is_down(own_store: OwnStore) -> None:
    client = make_client(own_store.settings, own_store.redis)
    assert carts(client).status_code == 200
    kill(own_store)
    answer = carts(client)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
