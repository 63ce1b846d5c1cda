"""The loop's own paths in the running product: the same answers as by WSGI, and none that waits for a store that hangs."""

import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from baliza.settings import Settings
from baliza.sites import CachedRegistry
from personalizer.app import create_app
from personalizer.models.shelf import ModelShelf
from personalizer.models.store import ModelStore
from tests.personalizer.planted import NOW, planted_model
from tests.support.collector import PARTITIONS, RunningCollector
from tests.support.wire import Wire, batch, get, post

pytestmark = pytest.mark.redis
RANDOM = "3735928559-4027431614-305419896-19088743"
SHOP, SECRET = "Origin: http://shop.test", "Authorization: Bearer sk_demo"


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    folder = tmp_path_factory.mktemp("inline")
    ModelStore(Settings(data_dir=folder / "data").model_dir).save("demo", planted_model(), {}, NOW)
    running = RunningCollector(folder, {"BALIZA_OFFER_BUDGET_MS": "500"}, "baliza.cli serve public")
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.close()


def raw(method: str, query: str, *headers: str) -> bytes:
    return get(f"/v1/offers?{query}", *headers, method=method)


def steady(body: bytes) -> Any:
    """Without what differs each time, and of the offers how many there are: some are tried at random."""
    found = json.loads(body) if body else {}
    offers = len(found.pop("offers", []))
    return {name: value for name, value in found.items() if name not in ("decision_id", "took_ms", "purposes")}, offers


def told(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Without those that are the server's own business."""
    own = {"connection", "content-length", "server", "date"}
    return {name.lower(): value for name, value in headers if name.lower() not in own}


ASKED = [
    ("GET", "key=pk_demo&placement=home", [SHOP]),
    ("GET", f"key=pk_demo&visitor={RANDOM}&limit=2", [SHOP, f"Cookie: bz_v={RANDOM}"]),
    ("GET", f"key=pk_demo&visitor={RANDOM}", [SHOP, "Sec-GPC: 1"]),
    ("GET", f"visitor={RANDOM}&explain=1", [SECRET]),
    ("HEAD", "key=pk_demo", [SHOP]),
    ("OPTIONS", "key=pk_demo", [SHOP]),
    ("OPTIONS", "key=pk_demo", ["Origin: http://other.test"]),
    ("GET", "", []),
    ("GET", "key=nobodys", []),
    ("GET", "key=pk_demo", ["Origin: http://other.test"]),
    ("GET", "key=pk_demo&limit=none", [SHOP]),
    ("GET", "key=pk_demo&explain=1", [SHOP]),
    ("DELETE", "key=pk_demo", []),
]


def test_the_loop_answers_as_wsgi_does(public: RunningCollector) -> None:
    settings = Settings(data_dir=public.folder / "data", partitions=PARTITIONS, offer_budget_ms=500)
    registry = CachedRegistry(public.redis, time.monotonic)
    shelf = ModelShelf(ModelStore(settings.model_dir), time.monotonic)
    app = create_app(
        settings, public.redis, registry, shelf, lambda: time.time_ns() // 1_000_000, time.monotonic, lambda: str(uuid4())
    )
    client = app.test_client(use_cookies=False)
    with Wire(public.url) as wire:
        wire.ask(post(batch("inline-1", visitor=RANDOM)))
        for method, query, headers in ASKED:
            mine = wire.ask(raw(method, query, *headers), of_head=method == "HEAD")
            theirs = client.open(f"/v1/offers?{query}", method=method, headers=[header.split(": ", 1) for header in headers])
            assert mine.status == theirs.status_code, (method, query, headers)
            assert told(mine.headers.items()) == told(theirs.headers), (method, query, headers)
            assert steady(mine.body) == steady(theirs.data), (method, query, headers)


def test_a_store_that_hangs_takes_the_profile_from_an_offer_and_nothing_else(public: RunningCollector) -> None:
    query = f"key=pk_demo&visitor={RANDOM}&placement=home"
    with Wire(public.url) as wire:
        assert wire.ask(post(batch("inline-2", visitor=RANDOM))).status == 202
        assert json.loads(wire.ask(raw("GET", query, SHOP)).body).get("fallback") is None
        assert public.valkey.process is not None
        os.kill(public.valkey.process.pid, signal.SIGSTOP)
        try:
            offered = json.loads(wire.ask(raw("GET", query, SHOP)).body)
        finally:
            os.kill(public.valkey.process.pid, signal.SIGCONT)
        assert (offered["fallback"], len(offered["offers"])) == ("store_down", 5)
        assert offered["took_ms"] >= 250, "half of the budget is the store's"


def test_offers_and_events_share_a_connection_in_order(public: RunningCollector) -> None:
    asked = [post(batch(f"mixed-{n}")) if n % 3 else raw("GET", f"key=pk_demo&limit={n + 1}", SHOP) for n in range(12)]
    with Wire(public.url) as wire:
        wire.send(b"".join(asked))
        answers = [wire.answer() for _ in asked]
    assert [answer.status for answer in answers] == [202 if n % 3 else 200 for n in range(12)]
    assert [len(json.loads(answers[n].body)["offers"]) for n in range(0, 6, 3)] == [1, 4]


def test_a_personalizer_by_itself_gives_offers_and_takes_no_events(tmp_path: Path) -> None:
    alone = RunningCollector(tmp_path, {}, "baliza.cli serve personalizer")
    try:
        alone.wait_until_listening()
        with Wire(alone.url) as wire:
            assert wire.ask(raw("GET", "key=pk_demo", SHOP)).status == 200
            assert [wire.ask(post(batch("alone"))).status for _ in range(2)] == [404, 404]
            assert wire.ask(get("/o.gif?k=pk_demo&e=page_view")).status == 404
    finally:
        alone.close()
