import gzip
import json
import time
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from baliza.http import base_app
from baliza.settings import Settings
from baliza.sites import CachedRegistry, Site, add_site
from baliza.stores import RedisClient
from personalizer.catalogue.app import add_catalogue_routes
from personalizer.models.store import ModelStore
from tests.personalizer.catalogue.feeds_as_shops_write_them import EVERY, ITEMS, RSS, TSV
from tests.personalizer.planted import NOW, NOW_MS, planted_model

pytestmark = pytest.mark.redis
SECRET = {"Authorization": "Bearer sk_demo"}


@pytest.fixture
def client(settings: Settings, redis_client: RedisClient, demo_site: Site) -> FlaskClient:
    app = base_app("catalogue", {})
    add_catalogue_routes(app, settings, redis_client, CachedRegistry(redis_client, time.monotonic), lambda: NOW_MS)
    return app.test_client()


def send(client: FlaskClient, body: str | bytes | object, method: str = "PUT", **query: str) -> TestResponse:
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    kind = {} if isinstance(body, str | bytes) else {"Content-Type": "application/json"}
    return client.open("/v1/catalogue", method=method, data=data, headers=SECRET | kind, query_string=query)


def taken(client: FlaskClient, body: str | bytes | object, method: str = "PUT", **query: str) -> dict[str, Any]:
    answer = send(client, body, method, **query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def ids(client: FlaskClient) -> list[str]:
    return sorted(entry["id"] for entry in client.get("/v1/catalogue", headers=SECRET).json["items"])


@pytest.mark.parametrize("name", list(EVERY))
def test_a_whole_feed_is_put(client: FlaskClient, name: str) -> None:
    assert taken(client, EVERY[name], **({"format": name} if name == "json" else {}))["added"] == 3
    assert taken(client, gzip.compress(EVERY[name].encode()))["unchanged"] == 3
    assert ids(client) == sorted(ITEMS)


def test_the_answer_says_what_became_of_every_row(client: FlaskClient) -> None:
    report = taken(client, TSV.replace("39.90 EUR", "39,90 EUR"))
    assert (report["rows"], report["taken"], report["refused"], report["items"]) == (3, 2, 1, 2)
    assert report["bad"][0]["line"] == 2
    assert report["bad"][0]["item_id"] == "LAMP-1"
    assert "39,90 EUR" in report["bad"][0]["reason"]
    assert report["ignored"] == ["description"]


def test_ids_that_are_not_the_beacon_s_are_warned_of(client: FlaskClient, settings: Settings) -> None:
    assert taken(client, RSS)["warning"] == ""
    ModelStore(settings.model_dir).save("demo", planted_model(), {}, NOW)
    assert "only 0 of the 6 best sellers" in taken(client, RSS)["warning"]


def test_a_broken_feed_changes_nothing(client: FlaskClient) -> None:
    taken(client, RSS)
    for body, told in [(RSS[:-30], "whole"), ("", "empty"), ("hello", "id"), (b"\x1f\x8b", "compressed")]:
        answer = send(client, body)
        assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
        assert told in answer.json["detail"]
    assert ids(client) == sorted(ITEMS)


def test_a_cut_off_feed_needs_force(client: FlaskClient) -> None:
    taken(client, RSS)
    answer = send(client, [{"id": "LAMP-1"}])
    assert answer.status_code == 409
    assert "more than half" in answer.json["detail"]
    assert taken(client, [{"id": "LAMP-1"}], dry_run="1", force="1")["removed"] == 2
    assert taken(client, [{"id": "LAMP-1"}], force="1")["removed"] == 2


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_some_items_are_changed_by_attribute(client: FlaskClient, method: str) -> None:
    taken(client, RSS)
    report = taken(client, {"items": [{"id": "LAMP-1", "availability": "out_of_stock"}]}, method)
    assert (report["mode"], report["changed"], report["items"]) == ("merge", 1, 3)
    shown = client.get("/v1/catalogue/LAMP-1", headers=SECRET).json
    assert (shown["availability"], shown["price"]) == ("out_of_stock", "39.90 EUR")
    assert taken(client, {"id": "LAMP-1", "sale_price": None}, method)["changed"] == 1
    assert "sale_price" not in client.get("/v1/catalogue/LAMP-1", headers=SECRET).json


def test_items_are_deleted_once(client: FlaskClient) -> None:
    taken(client, RSS)
    assert client.delete("/v1/catalogue/LAMP-1", headers=SECRET).status_code == 204
    assert client.delete("/v1/catalogue/LAMP-1", headers=SECRET).status_code == 404
    assert client.get("/v1/catalogue/nothing", headers=SECRET).status_code == 404


def test_ids_may_hold_slashes(client: FlaskClient) -> None:
    taken(client, [{"id": "a/b c"}])
    assert client.get("/v1/catalogue/a%2Fb%20c", headers=SECRET).json == {"id": "a/b c"}


def test_pages_hold_every_item_once(client: FlaskClient) -> None:
    taken(client, [{"id": f"item-{n}"} for n in range(200)])
    found, cursor = [], "0.0"
    while cursor:
        page = client.get("/v1/catalogue", query_string={"limit": "20", "cursor": cursor}, headers=SECRET).json
        assert (page["size"], page["complete"]) == (200, True)
        found += [entry["id"] for entry in page["items"]]
        cursor = page["next"]
    assert sorted(found) == sorted(f"item-{n}" for n in range(200))


def test_a_site_sees_its_own_catalogue_only(client: FlaskClient, redis_client: RedisClient) -> None:
    add_site(redis_client, "other", ["http://other.test"], secret_key="sk_other")
    taken(client, RSS)
    page = client.get("/v1/catalogue", headers={"Authorization": "Bearer sk_other"}).json
    assert page == {"complete": False, "updated_at": None, "size": 0, "items": [], "next": None}


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH"])
def test_only_the_secret_key_may(client: FlaskClient, method: str) -> None:
    for headers in ({}, {"Authorization": "Bearer pk_demo"}, {"Authorization": "Basic sk_demo"}):
        assert client.open("/v1/catalogue", method=method, data=RSS, headers=headers).status_code == 401
        assert client.open("/v1/catalogue?key=pk_demo", method=method, data=RSS, headers=headers).status_code == 401
    assert client.delete("/v1/catalogue/LAMP-1").status_code == 401


@pytest.mark.parametrize("query", ["format=xls", "force=yes", "dry_run=2"])
def test_unknown_wishes_are_refused(client: FlaskClient, query: str) -> None:
    assert client.put(f"/v1/catalogue?{query}", data=RSS, headers=SECRET).status_code == 400


@pytest.mark.parametrize("cursor", ["x", "1", "1.x", "-1.0", "².0"])
def test_a_cursor_that_is_none_is_refused(client: FlaskClient, cursor: str) -> None:
    assert client.get("/v1/catalogue", query_string={"cursor": cursor}, headers=SECRET).status_code == 400
