"""Offers of many visitors at once."""

import itertools
import json
import time
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from baliza.settings import Settings
from baliza.sites import CachedRegistry, Site
from baliza.stores import RedisClient
from personalizer.app import create_app
from personalizer.models.shelf import ModelShelf
from personalizer.models.store import ModelStore
from personalizer.offers.batch import MAX_PEOPLE
from tests.personalizer.planted import NOW, NOW_MS, note_visit, observe, planted_model

pytestmark = pytest.mark.redis
SECRET = {"Authorization": "Bearer sk_demo"}


@pytest.fixture
def client(settings: Settings, redis_client: RedisClient, demo_site: Site) -> FlaskClient:
    ModelStore(settings.model_dir).save("demo", planted_model(), {}, NOW)
    numbers = itertools.count(1)
    shelf = ModelShelf(ModelStore(settings.model_dir), time.monotonic)
    registry = CachedRegistry(redis_client, time.monotonic)
    app = create_app(settings, redis_client, registry, shelf, lambda: NOW_MS, time.monotonic, lambda: f"d-{next(numbers)}")
    return app.test_client()


def ask(client: FlaskClient, headers: dict[str, str] = SECRET, **body: Any) -> TestResponse:
    return client.post("/v1/offers/batch", json=body, headers=headers)


def test_each_visitor_gets_a_decision_of_their_own(client: FlaskClient, redis_client: RedisClient) -> None:
    observe(redis_client, "v-1", "view_item", ["lamp"])
    observe(redis_client, "v-2", "add_to_cart", ["phone"], at_ms=NOW_MS - 7_200_000)
    answer = ask(client, visitors=["v-1", "v-2", "v-none"], limit=2)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    first, second, third = json.loads(answer.data)["decisions"]
    assert [each["visitor_id"] for each in (first, second, third)] == ["v-1", "v-2", "v-none"]
    assert len({each["decision_id"] for each in (first, second, third)}) == 3
    assert [each["placement"] for each in (first, second)] == ["email", "email"]
    assert (second["offers"][0]["item_id"], second["offers"][0]["reason"]) == ("phone", "abandoned_cart")
    assert (third["fallback"], third["offers"][0]["reason"]) == ("no_profile", "best_seller")
    assert b'"price":39.90' in answer.data


def test_a_customer_is_found_on_the_browser_where_they_were_known_last(
    client: FlaskClient, redis_client: RedisClient
) -> None:
    observe(redis_client, "v-1", "add_to_cart", ["rug"], customer_id="anna", at_ms=NOW_MS - 9_000_000)
    observe(redis_client, "v-2", "add_to_cart", ["phone"], customer_id="anna", at_ms=NOW_MS - 7_200_000)
    observe(redis_client, "v-3", "add_to_cart", ["phone"], customer_id="bert")
    observe(redis_client, "v-3", "login", customer_id="cleo", at_ms=NOW_MS + 1)
    for customer_id, visitor_id, at_ms in (("anna", "v-2", 2), ("anna", "v-1", 1), ("bert", "v-3", 1), ("dan", "v-9", 1)):
        note_visit(redis_client, customer_id, visitor_id, at_ms)
    anna, *others = json.loads(ask(client, customers=["anna", "bert", "dan", "nobody"], limit=1).data)["decisions"]
    assert (anna["customer_id"], anna["visitor_id"], anna["fallback"]) == ("anna", "v-2", None)
    assert (anna["offers"][0]["item_id"], anna["offers"][0]["reason"]) == ("phone", "abandoned_cart")
    assert [each["customer_id"] for each in others] == ["bert", "dan", "nobody"]
    assert {(each["visitor_id"], each["fallback"]) for each in others} == {(None, "no_profile")}
    assert {each["offers"][0]["reason"] for each in others} == {"best_seller"}


def test_lines_of_json_for_who_wants_lines(client: FlaskClient) -> None:
    answer = ask(client, SECRET | {"Accept": "application/x-ndjson"}, visitors=["v-1", "v-2"])
    assert answer.mimetype == "application/x-ndjson"
    assert [json.loads(line)["visitor_id"] for line in answer.data.splitlines()] == ["v-1", "v-2"]


def test_explains_when_asked(client: FlaskClient) -> None:
    (decision,) = json.loads(ask(client, visitors=["v-1"], explain=True, limit=1).data)["decisions"]
    assert decision["offers"][0]["explain"]["sources"][0]["source"] == "best_seller"
    assert decision["left_out"] == []


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer pk_demo"}])
def test_only_with_the_secret_key(client: FlaskClient, headers: dict[str, str]) -> None:
    assert ask(client, headers, visitors=["v-1"]).status_code == 401


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "expected one of `visitors` and `customers`, got neither"),
        ({"visitors": []}, "length >= 1"),
        ({"visitors": ["v"] * (MAX_PEOPLE + 1)}, f"length <= {MAX_PEOPLE}"),
        ({"visitors": ["v"], "placement": "E Mail"}, "placement: expected 1 to 50"),
        ({"visitors": ["v"], "limit": 51}, "`int` <= 50"),
        ({"visitors": ["v"], "customers": ["c"]}, "expected one of `visitors` and `customers`, got both"),
        ({"customers": []}, "length >= 1"),
        ({"customers": [""]}, "length >= 1"),
        ({"visitors": ["v"], "users": ["c"]}, "unknown field `users`"),
    ],
)
def test_a_bad_body_is_told(client: FlaskClient, body: dict[str, Any], told: str) -> None:
    answer = ask(client, **body)
    assert answer.status_code == 400
    assert answer.json is not None
    assert told in answer.json["detail"]


def test_too_large_a_body_is_not_read(client: FlaskClient) -> None:
    answer = client.post("/v1/offers/batch", data=b" " * 300_000, headers=SECRET)
    assert answer.status_code == 413
