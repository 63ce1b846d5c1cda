import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from baliza.commands import run
from baliza.commands.live import LiveLine
from baliza.public import ByPath
from baliza.settings import Settings
from tests.support.collector import RunningCollector
from tests.support.wire import Wire, batch, get, post

Start = Callable[..., Any]


def named(name: str) -> Any:
    """An app that answers its name and what it saw of the path."""

    def app(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [f"{name} {environ.get('SCRIPT_NAME', '')}|{environ['PATH_INFO']}".encode()]

    return app


def ask(path: str) -> str:
    by_path = ByPath(named("rest"), {"/v1/offers": named("offers")}, {"/shop": named("shop")})
    return b"".join(by_path({"PATH_INFO": path, "SCRIPT_NAME": ""}, lambda *_: None)).decode()


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/", "rest |/"),
        ("/v1/offers", "offers |/v1/offers"),
        ("/v1/offers/1", "offers |/v1/offers/1"),
        ("/v1/offersome", "rest |/v1/offersome"),
        ("/shop", "shop /shop|"),
        ("/shop/p/lamp", "shop /shop|/p/lamp"),
        ("/shopping", "rest |/shopping"),
        ("/v1/visitors/shop", "rest |/v1/visitors/shop"),
    ],
)
def test_path_decides_which_app_answers(path: str, seen: str) -> None:
    assert ask(path) == seen


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    running = RunningCollector(tmp_path_factory.mktemp("public"), {"BALIZA_DEMO": "1"}, "baliza.cli serve public")
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.close()


@pytest.mark.redis
def test_one_port_takes_events_and_gives_offers_and_the_shop(public: RunningCollector) -> None:
    with Wire(public.url) as wire:
        assert wire.ask(post(batch("public"))).status == 202
        seen = wire.ask(get("/v1/sessions/current?visitor=v-1", "Authorization: Bearer sk_demo"))
        assert json.loads(seen.body)["visitor_id"] == "v-1"
        assert wire.ask(get("/v1/carts/abandoned", "Authorization: Bearer sk_demo")).status == 200
        assert wire.ask(get("/v1/offers")).status == 401
        shop = wire.ask(get("/shop/"))
        assert shop.status == 200
        assert b"/shop/" in shop.body, "links of the shop stay within it"
        bare = wire.ask(get("/"))
        assert (bare.status, bare.headers["location"]) == (302, "/shop/")
        assert wire.ask(get("/b.js")).headers["content-type"].startswith("text/javascript")


@pytest.mark.redis
def test_unchanged_script_is_not_sent_again(public: RunningCollector) -> None:
    with Wire(public.url) as wire:
        etag = wire.ask(get("/b.js")).headers["etag"]
        again = wire.ask(get("/b.js", f"If-None-Match: {etag}"))
        assert (again.status, again.body) == (304, b"")
        assert "content-length" not in again.headers
        assert wire.ask(get("/health")).status == 200


@pytest.mark.redis
def test_without_demo_there_is_no_shop(collector: RunningCollector) -> None:
    with Wire(collector.url) as wire:
        assert wire.ask(get("/shop/")).status == 404


@pytest.mark.redis
def test_the_demo_shop_s_feed_comes_in_at_the_public_door(public: RunningCollector) -> None:
    port = int(public.url.rpartition(":")[2])
    settings, out = Settings(public_port=port), io.StringIO()
    for _ in range(2):
        run._send_feed(settings, LiveLine(out))
    assert "not taken" not in out.getvalue()
    with Wire(public.url) as wire:
        page = json.loads(wire.ask(get("/v1/catalogue?limit=1000", "Authorization: Bearer sk_demo")).body)
        assert wire.ask(get("/shop/feed.xml")).status == 200
    assert (page["size"], page["complete"]) == (63, True)
    beans = next(item for item in page["items"] if item["id"] == "BEANS-1")
    assert (beans["consumable"], beans["link"]) == (True, f"http://127.0.0.1:{port}/shop/p/BEANS-1")
