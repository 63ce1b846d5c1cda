"""What a shop's server reads of its visitors, and the beacon script."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from baliza.errors import StoreDown
from baliza.readiness.files import ReadinessShelf, save
from baliza.settings import Settings
from baliza.sites import add_site, load_sites
from js_beacon import PARTS, script_path
from tests.baliza.readiness.test_model import file
from tests.support.collecting import Shop, event
from tracker.app import create_app

pytestmark = pytest.mark.redis

SERVER = {"Authorization": "Bearer sk_demo"}


@pytest.fixture
def client(shop: Shop, settings: Settings) -> Iterator[FlaskClient]:
    app = create_app(settings, shop.redis, lambda: load_sites(shop.redis), lambda: int(shop.now.timestamp() * 1000), {})
    with app.test_client() as made:
        yield made


def test_a_view_is_seen_at_once(shop: Shop, client: FlaskClient) -> None:
    shop.send(event("view_item", item=("LAMP", "Light", 39.9)), event("add_to_cart", 5, item=("LAMP", "Light", 39.9, 2)))
    found = client.get("/v1/sessions/current?visitor=v-1", headers=SERVER).json
    assert found is not None
    assert (found["live"], found["who"], found["events"]) == (True, "anonymous", 2)
    assert found["viewed"][0] == {
        "item_id": "LAMP", "item_name": "", "item_category": "Light", "price": "39.90", "currency": "EUR", "views": 1,
        "last_viewed_at": "2026-11-21T10:00:00.000Z",
    }  # fmt: skip
    assert (found["cart"]["pieces"], found["cart"]["value"]) == (2, "79.80")
    assert (found["purpose"], found["readiness"]) == ("buy", {"probability": 0.1565, "basis": "rules"})
    shop.now += timedelta(minutes=31)
    over = client.get("/v1/sessions/current?visitor=v-1", headers=SERVER).json
    assert over is not None
    assert over["live"] is False


@pytest.mark.parametrize("visitor", ["v-1", "with/slash", "a b+c&d", "ü💡", "..", "v%2F"])
def test_a_visitor_of_any_name_is_found(shop: Shop, client: FlaskClient, visitor: str) -> None:
    shop.send(event(customer_id="anna"), visitor=visitor)
    for path in (f"/v1/visitors/{quote(visitor, safe='')}", f"/v1/sessions/current?visitor={quote(visitor, safe='')}"):
        answer = client.get(path, headers=SERVER)
        assert answer.json is not None
        assert (answer.status_code, answer.json["visitor_id"], answer.json["customer_id"]) == (200, visitor, "anna")


def test_only_the_sites_own_servers_may_look(shop: Shop, client: FlaskClient) -> None:
    shop.send(event())
    add_site(shop.redis, "other", ["*"], publishable_key="pk_other", secret_key="sk_other")
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer pk_demo"}, 401),
        ({"Authorization": "Bearer sk_other"}, 404),
        (SERVER, 200),
    ):
        assert client.get("/v1/visitors/v-1", headers=headers).status_code == status
        assert client.get("/v1/sessions/current?visitor=v-1", headers=headers).status_code == status


@pytest.mark.parametrize("visitor", ["", "v" * 101])
def test_says_what_a_visitor_is(client: FlaskClient, visitor: str) -> None:
    answer = client.get(f"/v1/sessions/current?visitor={visitor}", headers=SERVER)
    assert answer.json is not None
    words = f"visitor: expected the visitor's id (1 to 100 characters), got {len(visitor)} characters"
    assert (answer.status_code, answer.json["detail"]) == (400, words)


def test_says_when_nobody_knows_the_visitor(client: FlaskClient) -> None:
    answer = client.get("/v1/visitors/nobody", headers=SERVER)
    assert answer.json is not None
    assert answer.json["detail"] == "no events of the visitor 'nobody' of demo in the last 30 days"


@pytest.mark.parametrize(("path", "file"), [(f"/{part}", script_path(part)) for part in PARTS])
def test_the_scripts_are_cached_and_not_sent_twice(client: FlaskClient, path: str, file: Path) -> None:
    first = client.get(path)
    assert first.data == file.read_bytes()
    assert (first.mimetype, first.headers["Cache-Control"]) == ("text/javascript", "public, max-age=3600")
    assert first.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_a_store_that_is_away_is_told(shop: Shop, settings: Settings) -> None:
    def away() -> int:
        raise StoreDown("the live store does not answer")

    app = create_app(settings, shop.redis, lambda: load_sites(shop.redis), lambda: 0, {"live store": away})
    answer = app.test_client().get("/ready")
    assert answer.status_code == 503


def test_a_learned_model_tells_the_readiness_of_its_site(shop: Shop, settings: Settings) -> None:
    def now_ms() -> int:
        return int(shop.now.timestamp() * 1000)

    shelf = ReadinessShelf(settings.model_dir, lambda: 0.0)
    save(settings.model_dir, file(site="demo"))
    app = create_app(settings, shop.redis, lambda: load_sites(shop.redis), now_ms, {}, shelf)
    shop.send(event("add_to_cart", item=("LAMP", "Light", 39.9, 2)))
    found = app.test_client().get("/v1/sessions/current?visitor=v-1", headers=SERVER).json
    assert found is not None
    assert found["readiness"] == {"probability": 0.5, "basis": "model"}
