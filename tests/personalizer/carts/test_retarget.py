"""The retargeting loop on a real live store."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from baliza import stores
from baliza.embedded.valkey import EmbeddedValkey
from baliza.metrics import CARTS_ABANDONED
from baliza.settings import Settings
from baliza.sites import Site, add_site
from baliza.stores import RedisClient
from personalizer.carts import retarget
from personalizer.carts.reader import CartReader
from personalizer.carts.retarget import Outcome, Sweep, serve_retargeting
from schema import keys
from tests.personalizer.planted import NOW_MS, PARTITIONS, note_purchase, observe
from tests.support.waiting import looping, wait_for

pytestmark = pytest.mark.redis
HOUR_MS = 3_600_000


@pytest.fixture
def sweep(redis_client: RedisClient) -> Sweep:
    return Sweep(CartReader(redis_client, PARTITIONS, HOUR_MS), PARTITIONS)


def fill(redis: RedisClient, visitor_id: str, at_ms: int, customer_id: str = "") -> None:
    observe(redis, visitor_id, "add_to_cart", ["lamp"], at_ms=at_ms, customer_id=customer_id)


def marked(redis: RedisClient) -> set[str]:
    found = (redis.zrange(keys.abandoned(partition, "demo"), 0, -1) for partition in range(PARTITIONS))
    return {visitor.decode() for visitors in found for visitor in visitors}


def test_marks_each_cart_once_when_its_time_has_come(redis_client: RedisClient, sweep: Sweep) -> None:
    fill(redis_client, "v-1", NOW_MS)
    assert sweep.run("demo", NOW_MS + HOUR_MS - 1) == Outcome(0, 0)
    assert sweep.run("demo", NOW_MS + HOUR_MS) == Outcome(1, 0)
    assert sweep.run("demo", NOW_MS + HOUR_MS + 5_000) == Outcome(0, 0)
    assert marked(redis_client) == {"v-1"}


def test_a_change_takes_the_mark_off_and_it_comes_again(redis_client: RedisClient, sweep: Sweep) -> None:
    fill(redis_client, "v-1", NOW_MS)
    sweep.run("demo", NOW_MS + HOUR_MS)
    fill(redis_client, "v-1", NOW_MS + 2 * HOUR_MS)
    assert marked(redis_client) == set()
    assert sweep.run("demo", NOW_MS + 3 * HOUR_MS) == Outcome(1, 0)


def test_takes_off_what_was_bought_elsewhere_even_after_it_was_marked(redis_client: RedisClient, sweep: Sweep) -> None:
    fill(redis_client, "phone", NOW_MS, customer_id="c-1")
    assert sweep.run("demo", NOW_MS + HOUR_MS) == Outcome(1, 0)
    note_purchase(redis_client, "c-1", NOW_MS + 2 * HOUR_MS)
    assert sweep.run("demo", NOW_MS + 3 * HOUR_MS) == Outcome(0, 1)
    assert marked(redis_client) == set()


def test_finds_a_cart_that_a_late_event_put_into_the_past(redis_client: RedisClient, sweep: Sweep) -> None:
    fill(redis_client, "v-1", NOW_MS)
    sweep.run("demo", NOW_MS + HOUR_MS)
    fill(redis_client, "late", NOW_MS - 5 * HOUR_MS)
    assert sweep.run("demo", NOW_MS + HOUR_MS + 5_000) == Outcome(1, 0)


def test_a_sweep_is_bounded_and_the_next_goes_on(
    redis_client: RedisClient, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retarget, "FRESH_AT_ONCE", 3)
    monkeypatch.setattr(retarget, "AGAIN_AT_ONCE", 2)
    for number in range(100):
        fill(redis_client, f"v-{number}", NOW_MS + number)
    rounds = [sweep.run("demo", NOW_MS + 2 * HOUR_MS).marked for _ in range(20)]
    assert max(rounds) <= 3 * PARTITIONS
    assert sum(rounds) == 100


def test_many_carts_of_one_millisecond_are_all_found(
    redis_client: RedisClient, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retarget, "AGAIN_AT_ONCE", 500)
    monkeypatch.setattr(retarget, "FRESH_AT_ONCE", 2)
    for number in range(60):
        fill(redis_client, f"v-{number}", NOW_MS)
    assert sum(sweep.run("demo", NOW_MS + 2 * HOUR_MS).marked for _ in range(5)) == 60


def hours_ago(hours: float) -> int:
    return int((time.time() - hours * 3600) * 1000)


def test_the_loop_marks_counts_and_gives_its_lease_back(
    redis_client: RedisClient, settings: Settings, demo_site: Site
) -> None:
    counter = CARTS_ABANDONED.labels("demo")
    before = counter._value.get()
    fill(redis_client, "v-1", hours_ago(2))
    with looping(serve_retargeting, replace(settings, retarget_interval_s=0.1)):
        wait_for(lambda: marked(redis_client) == {"v-1"}, 20)
        assert redis_client.exists(keys.lease(retarget.ROLE))
    assert not redis_client.exists(keys.lease(retarget.ROLE))
    assert counter._value.get() == before + 1


def test_the_loop_waits_while_another_has_the_lease(redis_client: RedisClient, settings: Settings, demo_site: Site) -> None:
    redis_client.set(keys.lease(retarget.ROLE), "another")
    fill(redis_client, "v-1", hours_ago(2))
    with looping(serve_retargeting, replace(settings, retarget_interval_s=0.05)):
        time.sleep(0.5)
        assert marked(redis_client) == set()
        redis_client.delete(keys.lease(retarget.ROLE))
        wait_for(lambda: marked(redis_client) == {"v-1"}, 20)


def test_the_loop_survives_the_store_being_away(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = EmbeddedValkey(tmp_path / "own")
    server.start()
    settings = replace(settings, redis_url=server.url, retarget_interval_s=0.1)
    redis = stores.redis(settings)
    try:
        stores.install(redis, settings)
        add_site(redis, "demo", [])
        with looping(serve_retargeting, settings):
            wait_for(lambda: bool(redis.exists(keys.lease(retarget.ROLE))), 20)
            server.stop()
            wait_for(lambda: "carts wait: the live store does not answer" in caplog.text, 20)
            server.start()
            stores.install(redis, settings)
            fill(redis, "v-1", hours_ago(2))
            wait_for(lambda: marked(redis) == {"v-1"}, 20)
    finally:
        redis.close()
        server.stop()
