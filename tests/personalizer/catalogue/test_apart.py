"""A large feed is taken by a process of its own, with the same outcome."""

import io
import time
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from baliza.embedded.valkey import free_port
from baliza.errors import BalizaError, StoreDown
from baliza.http import base_app
from baliza.settings import Settings
from baliza.sites import CachedRegistry, Site
from baliza.stores import RedisClient
from loadtests.cataloguing import feed_lines
from personalizer.catalogue import apart
from personalizer.catalogue.apart import SMALL, Order, Refused, take, take_apart
from personalizer.catalogue.app import add_catalogue_routes
from tests.personalizer.planted import NOW_MS

pytestmark = pytest.mark.redis
ITEMS = 300
FEED = "".join(feed_lines(ITEMS)).encode()
ORDER = Order("demo", "replace")
SECRET = {"Authorization": "Bearer sk_demo"}


@pytest.fixture
def client(settings: Settings, redis_client: RedisClient, demo_site: Site) -> FlaskClient:
    app = base_app("catalogue", {})
    add_catalogue_routes(app, settings, redis_client, CachedRegistry(redis_client, time.monotonic), lambda: NOW_MS)
    return app.test_client()


def test_a_process_of_its_own_reports_as_this_one_does(
    settings: Settings, redis_client: RedisClient, demo_site: Site
) -> None:
    assert take_apart(settings, ORDER, FEED).added == ITEMS
    here = take(redis_client, settings, demo_site, ORDER, io.BytesIO(FEED), lambda: NOW_MS)
    assert (here.unchanged, here) == (ITEMS, take_apart(settings, ORDER, FEED))


@pytest.mark.network
def test_a_store_that_is_away_is_told(settings: Settings) -> None:
    with pytest.raises(StoreDown):
        take_apart(replace(settings, redis_url=f"redis://127.0.0.1:{free_port()}"), ORDER, FEED)


def test_a_process_that_dies_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(apart.sys, "executable", "/bin/false")
    with pytest.raises(BalizaError, match="not taken"):
        take_apart(settings, ORDER, FEED)
    assert "ended with code 1" in caplog.text


def test_a_large_body_keeps_the_serving_process_free(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personalizer.catalogue.app.take", None)
    assert len(FEED) > SMALL
    answer = client.post("/v1/catalogue", data=FEED, headers=SECRET)
    assert answer.status_code == 200, answer.text
    report = answer.json
    assert report is not None
    assert (report["added"], report["mode"]) == (ITEMS, "merge")


def test_what_the_process_refuses_is_refused(client: FlaskClient) -> None:
    broken = client.put("/v1/catalogue", data=FEED[:-30], headers=SECRET)
    assert broken.status_code == 400
    assert broken.json is not None
    assert (broken.json["title"], "whole" in broken.json["detail"]) == ("Not a feed", True)
    assert client.get("/v1/catalogue", headers=SECRET).json == {
        "complete": False, "updated_at": None, "size": 0, "items": [], "next": None,
    }  # fmt: skip


def test_a_site_that_is_gone_is_told(settings: Settings, demo_site: Site) -> None:
    with pytest.raises(Refused, match="no site named 'gone'") as error:
        take_apart(settings, Order("gone", "merge"), FEED)
    assert error.value.status == 404
