"""GET /v1/offers before the framework: manners, and what an id that could be guessed does not get."""

import itertools
import json
import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from baliza.settings import Settings
from baliza.sites import CachedRegistry, Site, set_offers
from baliza.stores import RedisClient
from personalizer.app import create_app
from personalizer.models.shelf import ModelShelf
from personalizer.models.store import ModelStore
from tests.personalizer.planted import NOW, NOW_MS, VISITOR, observe, planted_model

pytestmark = pytest.mark.redis
SECRET = {"Authorization": "Bearer sk_demo"}
ORIGIN = {"Origin": "http://shop.test"}
EARLIER = NOW_MS - 7_200_000


@pytest.fixture
def client(settings: Settings, redis_client: RedisClient, demo_site: Site) -> FlaskClient:
    ModelStore(settings.model_dir).save("demo", planted_model(), {}, NOW)
    numbers = itertools.count(1)
    shelf = ModelShelf(ModelStore(settings.model_dir), time.monotonic)
    app = create_app(
        settings, redis_client, CachedRegistry(redis_client, time.monotonic, 0.0), shelf, lambda: NOW_MS, time.monotonic,
        lambda: f"d-{next(numbers)}", rng=Random(1),
    )  # fmt: skip
    return app.test_client(use_cookies=False)


def ask(client: FlaskClient, headers: dict[str, str] | None = None, **given: Any) -> dict[str, Any]:
    answer = client.get("/v1/offers", query_string=given, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.data)
    return found


def reasons(answer: dict[str, Any]) -> set[str]:
    return {offer["reason"] for offer in answer["offers"]}


def test_a_cart_that_was_left_comes_back_at_home_and_never_in_the_cart(
    client: FlaskClient, redis_client: RedisClient
) -> None:
    observe(redis_client, VISITOR, "add_to_cart", ["lamp"], at_ms=EARLIER)
    first = ask(client, key="pk_demo", visitor=VISITOR, placement="home")["offers"][0]
    assert (first["item_id"], first["reason"], first["reason_text"]) == ("lamp", "abandoned_cart", "Still in your cart")
    at_the_till = ask(client, key="pk_demo", visitor=VISITOR, placement="cart", limit=50)
    assert "lamp" not in {offer["item_id"] for offer in at_the_till["offers"]}
    assert "abandoned_cart" not in reasons(at_the_till)


PERSONAL = {"abandoned_cart", "viewed_not_bought", "replenishment"}


@pytest.mark.parametrize(
    ("headers", "given", "told"),
    [
        (SECRET, {"visitor": "c-42"}, True),
        ({"Cookie": "bz_v=c-42"}, {"key": "pk_demo", "visitor": "c-42"}, False),
        ({}, {"key": "pk_demo", "visitor": "c-42"}, False),
        ({"Cookie": "bz_v=c-41"}, {"key": "pk_demo", "visitor": "c-42"}, False),
        (ORIGIN, {"key": "pk_demo", "visitor": "c-42"}, False),
    ],
)
def test_nobody_learns_of_a_visitor_by_guessing_the_id(
    client: FlaskClient, redis_client: RedisClient, headers: dict[str, str], given: dict[str, str], told: bool
) -> None:
    observe(redis_client, "c-42", "view_item", ["phone"], at_ms=EARLIER - 1)
    observe(redis_client, "c-42", "add_to_cart", ["lamp"], at_ms=EARLIER)
    answer = ask(client, headers, placement="home", limit=50, **given)
    assert bool(reasons(answer) & PERSONAL) is told
    texts = " ".join(offer["reason_text"] for offer in answer["offers"])
    assert ("Lamp" in texts or "Phone" in texts) is told


@pytest.mark.parametrize("headers", [{}, {"Cookie": "bz_v=c-42"}, ORIGIN])
def test_a_guessed_id_gets_the_very_list_of_nobody(
    client: FlaskClient, redis_client: RedisClient, headers: dict[str, str]
) -> None:
    observe(redis_client, "c-42", "view_item", ["phone"], at_ms=EARLIER - 1)
    observe(redis_client, "c-42", "purchase", ["rug"], at_ms=EARLIER)
    observe(redis_client, "c-42", "add_to_cart", ["lamp"])
    set_offers(redis_client, "demo", None, 0.0)  # no dice

    def answer(**visitor: str) -> dict[str, Any]:
        found = ask(client, headers, key="pk_demo", placement="product-detail", limit=50, **visitor)
        return {name: value for name, value in found.items() if name not in ("decision_id", "took_ms")}

    assert answer(visitor="c-42") == answer(visitor="c-43") == answer()


def test_a_cookie_of_somebody_else_opens_nothing(client: FlaskClient, redis_client: RedisClient) -> None:
    observe(redis_client, "c-42", "add_to_cart", ["rug"])
    answer = ask(client, {"Cookie": "bz_v=c-41"}, key="pk_demo", visitor="c-42", limit=50)
    assert answer["fallback"] == "no_profile"
    assert "rug" in {offer["item_id"] for offer in answer["offers"]}, "not even what is left out tells of the cart"


def test_explains_to_the_shop_only(client: FlaskClient, redis_client: RedisClient) -> None:
    observe(redis_client, "c-42", "add_to_cart", ["lamp"])
    answer = ask(client, SECRET, visitor="c-42", placement="cart", explain=1, limit=2)
    assert answer["offers"][0]["explain"]["sources"][0]["source"] == "bought_together"
    assert {"item_id": "lamp", "rule": "in_the_cart"} in answer["left_out"]
    assert sum(answer["purposes"].values()) == pytest.approx(1)
    assert client.get("/v1/offers?key=pk_demo&explain=1").status_code == 403
    plain = ask(client, SECRET, visitor="c-42")
    assert "explain" not in plain["offers"][0]
    assert "left_out" not in plain


def test_the_page_may_be_one_of_a_category(client: FlaskClient) -> None:
    answer = ask(client, key="pk_demo", placement="category", category="phones", limit=2)
    assert [offer["item_id"] for offer in answer["offers"]] == ["phone", "case"]


def test_a_site_turns_its_dial_while_it_serves(client: FlaskClient, redis_client: RedisClient) -> None:
    set_offers(redis_client, "demo", 1.0, 0.3)
    explained = ask(client, SECRET, explain=1, limit=4)["offers"]
    assert explained[-1]["explain"]["propensity"] != 1
    set_offers(redis_client, "demo", None, 0.0)
    assert all(offer["explain"]["propensity"] == 1 for offer in ask(client, SECRET, explain=1, limit=4)["offers"])


def test_an_offer_that_was_seen_in_vain_rests(client: FlaskClient, redis_client: RedisClient) -> None:
    set_offers(redis_client, "demo", explore=0.0, cap=2)

    def answer() -> dict[str, Any]:
        return ask(client, SECRET, visitor="c-42", explain=1, limit=2)

    first = answer()["offers"][0]["item_id"]
    for times in (1, 2):
        assert answer()["offers"][0]["item_id"] == first
        observe(redis_client, "c-42", "offer_shown", [first], at_ms=EARLIER + times)
    resting = answer()
    assert first not in {offer["item_id"] for offer in resting["offers"]}
    assert {"item_id": first, "rule": "seen_in_vain"} in resting["left_out"]
    observe(redis_client, "c-42", "offer_clicked", [first], at_ms=EARLIER + 3)
    assert {"item_id": first, "rule": "seen_in_vain"} not in answer()["left_out"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_offers_are_asked_for_with_get(client: FlaskClient, method: str) -> None:
    answer = client.open("/v1/offers?key=pk_demo", method=method)
    assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
    assert "GET" in answer.headers["Allow"]


def test_head_is_get_without_the_body(client: FlaskClient) -> None:
    answer = client.head("/v1/offers?key=pk_demo")
    assert (answer.status_code, answer.data) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 100


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.get("/v1/offers"),
        lambda client: client.get("/v1/carts/abandoned"),
    ],
)
def test_a_refusal_looks_the_same_before_the_framework_and_in_it(
    client: FlaskClient, call: Callable[[FlaskClient], TestResponse]
) -> None:
    answer = call(client)
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json == client.get("/v1/carts/abandoned").json


def test_of_an_argument_given_twice_the_first_counts(client: FlaskClient) -> None:
    answer = client.get("/v1/offers?key=pk_demo&limit=1&limit=3&placement=home%2Dhero")
    assert answer.json is not None
    assert (len(answer.json["offers"]), answer.json["placement"]) == (1, "home-hero")


def test_other_paths_are_handed_on(client: FlaskClient) -> None:
    assert client.get("/health").json == {"status": "alive"}
    assert client.get("/v1/offers/nothing").status_code == 404
