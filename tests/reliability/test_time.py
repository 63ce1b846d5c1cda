"""Clocks that are wrong, events that are late, and a server's clock that is set back: what the history says in the end."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from baliza.lease import Lease
from baliza.settings import Settings
from baliza.stores import History, RedisClient
from schema import keys
from tests.reliability.clocks import Clock, shifted_clock
from tests.support.collecting import START, Shop, event
from tests.support.collector import RunningCollector
from tests.support.product import wait_for
from tracker.ingest import Ingest, oldest_waiting_s

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]
Carry = Callable[[], None]


@pytest.fixture
def carry(settings: Settings, redis_client: RedisClient, history: History, shop: Shop) -> Carry:
    """Everything into the history, by the shop's clock."""
    lease = Lease(redis_client, "ingest-0", "time", time.monotonic)
    ingest = Ingest(settings, redis_client, history, lease, "time", lambda: int(shop.now.timestamp() * 1000))

    def carry_all() -> None:
        while ingest.step():
            pass

    return carry_all


def sessions(history: History) -> list[dict[str, Any]]:
    return history.records(
        "SELECT session_id, min(started_at) AS started_at, max(ended_at) AS ended_at, sum(events) AS events,"
        " sum(item_views) AS item_views FROM sessions GROUP BY session_id ORDER BY started_at"
    )


@pytest.mark.parametrize("wrong_by", [timedelta(hours=-3), timedelta(days=2), timedelta(days=-400), timedelta(seconds=40)])
def test_a_clients_wrong_clock_is_set_right(shop: Shop, carry: Carry, history: History, wrong_by: timedelta) -> None:
    said = [event("page_view", at=shop.now + wrong_by - timedelta(seconds=age)) for age in (90, 30)]
    body = {"key": "pk_demo", "visitor": "v-1", "sent_at": (shop.now + wrong_by).isoformat(), "events": said}
    assert shop.post(body).status == 202
    carry()
    times = [at for (at,) in history.rows("SELECT occurred_at FROM events ORDER BY occurred_at")]
    assert times == [shop.now - timedelta(seconds=90), shop.now - timedelta(seconds=30)]
    (session,) = sessions(history)
    assert (session["started_at"], session["ended_at"]) == tuple(times)


def test_a_late_event_lands_in_the_session_in_which_it_happened(shop: Shop, carry: Carry, history: History) -> None:
    shop.now = START + timedelta(minutes=20)
    shop.send(event("page_view", 0), event("page_view", 600))
    carry()
    shop.now = START + timedelta(hours=20)
    shop.send(event("page_view", 20 * 3600))
    shop.now = START + timedelta(hours=40)
    shop.send(event("page_view", 40 * 3600))
    carry()
    assert [session["events"] for session in sessions(history)] == [2, 1, 1]
    shop.now = START + timedelta(hours=71, minutes=59)
    assert shop.send(event("view_item", 300, item="LAMP"), event("view_item", 900, item="RUG")).status == 202
    shop.send(event("view_item", 20 * 3600 + 60, item="LAMP"))
    carry()
    found = sessions(history)
    assert [(session["events"], session["item_views"]) for session in found] == [(4, 2), (2, 1), (1, 0)]
    assert found[0]["ended_at"] == START + timedelta(seconds=900)
    assert history.rows("SELECT uniqExact(session_id) FROM events") == [(3,)]


def test_after_72_hours_only_the_shops_server_is_believed(shop: Shop, carry: Carry, history: History) -> None:
    shop.send(event("page_view", 0))
    shop.now = START + timedelta(hours=73)
    old = event("view_item", 60, item="LAMP")
    refused = shop.send(old)
    assert refused.status == 400
    assert "a time of the last 72 hours (older ones need the secret key)" in refused.body.decode()
    assert shop.send_as_server(old).status == 202
    carry()
    (session,) = sessions(history)
    assert (session["events"], session["item_views"]) == (2, 1)


def test_a_server_whose_clock_is_set_back_an_hour_goes_on(
    shop: Shop, carry: Carry, history: History, redis_client: RedisClient
) -> None:
    """The collector's and ingest's clock; the store's own is set back below."""
    first, second = event("page_view", at=shop.now), event("view_item", at=shop.now, item="LAMP")
    shop.send(first)
    shop.now -= timedelta(hours=1)
    # Browsers' clocks are right, which the server thinks an hour ahead.
    right = {"key": "pk_demo", "visitor": "v-1", "sent_at": (shop.now + timedelta(hours=1)).isoformat()}
    assert shop.post(right | {"events": [second]}).status == 202
    again = shop.post(right | {"events": [first]})
    assert dict(again.headers)["X-Baliza-Dropped"] == "duplicate"
    now_ms = int(shop.now.timestamp() * 1000)
    assert oldest_waiting_s(redis_client, 8, now_ms) >= 0
    carry()
    assert history.rows("SELECT count(), uniqExact(event_id) FROM events") == [(2, 2)]
    assert oldest_waiting_s(redis_client, 8, now_ms) == 0


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return shifted_clock(tmp_path)


@pytest.fixture
def shifted(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningCollector]:
    """Collector and live store, two processes whose clock a test may turn."""
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    running = RunningCollector(tmp_path / "shifted")
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.close()


def store_time(redis: RedisClient) -> float:
    seconds, _ = redis.time()
    return float(seconds)


def test_the_live_stores_clock_set_back_an_hour_spoils_nothing(
    shifted: RunningCollector, clock: Clock, settings: Settings, history: History
) -> None:
    now = datetime.now(START.tzinfo)
    before = [event(event_id=f"before-{number}", at=now - timedelta(hours=2)) for number in range(20)]
    assert shifted.send(*before) == 202
    dead = Lease(shifted.redis, "ingest-0", "dead", time.monotonic)
    assert dead.hold()
    clock.turn(timedelta(hours=-1))
    wait_for(lambda: store_time(shifted.redis) < time.time() - 3500, 5)
    after = [event(event_id=f"after-{number}", at=now - timedelta(hours=2)) for number in range(20)]
    assert shifted.send(*after) == 202
    assert shifted.send(*before) == 202
    stream = keys.events(keys.partition_of("v-1", 8))
    ids = [tuple(map(int, entry.split(b"-"))) for entry, _ in shifted.redis.xrange(stream)]
    assert ids == sorted(set(ids)), "the ids of the stream still rise"
    lease = Lease(shifted.redis, "ingest-0", "heir", time.monotonic)
    ingest = Ingest(
        replace(settings, redis_url=shifted.valkey.url),
        shifted.redis,
        history,
        lease,
        "heir",
        lambda: int(time.time() * 1000),
    )
    while ingest.step():
        pass
    stored = [event_id for (event_id,) in history.rows("SELECT event_id FROM events ORDER BY event_id")]
    assert stored == sorted(made["event_id"] for made in before + after)
    assert shifted.redis.xlen(stream) == 0
