"""The personalizer's processes, as the product starts them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest

from baliza.embedded.valkey import free_port
from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History, RedisClient
from personalizer.models.store import ModelStore
from personalizer.retarget import ROLE
from personalizer.serve import personalizer_wsgi
from schema import keys
from tests.personalizer.planted import NOW, planted_history, planted_model
from tests.support.rows import insert_events

pytestmark = [pytest.mark.redis, pytest.mark.usefixtures("closing_stores")]


@contextmanager
def serving(service: str, settings: Settings, **given: object) -> Iterator[subprocess.Popen[bytes]]:
    """`baliza serve SERVICE` with these settings; told to stop at the end, which must go well."""
    names = ("data_dir", "redis_url", "clickhouse_url", "partitions")
    wanted = {name: getattr(settings, name) for name in names if getattr(settings, name)} | given
    environment = {f"BALIZA_{name.upper()}": str(value) for name, value in wanted.items()}
    process = subprocess.Popen([sys.executable, "-m", "baliza.cli", "serve", service], env=os.environ | environment)
    try:
        yield process
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within thirty seconds"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def test_the_app_has_real_clocks_and_models(settings: Settings, demo_site: Site) -> None:
    ModelStore(settings.model_dir).save("demo", planted_model(), {}, NOW)
    client = personalizer_wsgi(settings).test_client()
    first, second = (client.get("/v1/offers?key=pk_demo").json for _ in range(2))
    assert first is not None
    assert second is not None
    assert len(first["offers"]) == 5
    assert first["decision_id"] != second["decision_id"]


def test_answers_offers_on_its_port(settings: Settings, demo_site: Site) -> None:
    ModelStore(settings.model_dir).save("demo", planted_model(), {}, NOW)
    port = free_port()
    with serving("personalizer", settings, public_port=port, collector_workers=1):
        wait(lambda: answers(f"http://127.0.0.1:{port}/ready"))
        offers = httpx.get(f"http://127.0.0.1:{port}/v1/offers", params={"key": "pk_demo", "limit": 1}).json()["offers"]
    assert offers[0]["item_id"] == "rug"


def test_the_retargeting_process_gives_its_lease_back_when_told_to_stop(
    settings: Settings, redis_client: RedisClient, demo_site: Site
) -> None:
    with serving("retargeting", settings, retarget_interval_s=0.2):
        wait(lambda: bool(redis_client.exists(keys.lease(ROLE))))
    assert not redis_client.exists(keys.lease(ROLE))


@pytest.mark.clickhouse
def test_the_trainer_process_makes_the_first_model(settings: Settings, demo_site: Site, history: History) -> None:
    insert_events(history, planted_history(datetime.now(UTC)))
    with serving("trainer", settings):
        wait(lambda: ModelStore(settings.model_dir).current("demo") is not None)
