"""A store that is killed, hangs, is full or away for long, under load: who is told what, and that all goes on by itself."""

import json
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.reliability.crowd import Crowd
from tests.reliability.services import Services
from tests.reliability.truth import assert_everything_once, stored_ids
from tests.support.collecting import event
from tests.support.product import wait_for
from tests.support.wire import Wire, batch, post

pytestmark = [pytest.mark.network, pytest.mark.redis, pytest.mark.clickhouse]

HISTORY_AWAY_S = float(os.environ.get("BALIZA_TEST_HISTORY_AWAY_S", "600"))
# A slow machine is waited for; the time-out that nobody set would be waited for longer.
REDIS_TIMEOUT_S, SLACK_S = 0.5, 2.0


def a_crowd(services: Services, seed: int) -> Crowd:
    return Crowd(services.url, datetime.now(UTC), seed, batches_per_s=60)


def all_is_well_in_the_end(services: Services, crowd: Crowd) -> None:
    crowd.wait_for(10)
    crowd.stop()
    services.until_nothing_waits()
    assert_everything_once(crowd, stored := stored_ids(services.client))
    print(f"\n{len(crowd.taken)} taken, {len(stored)} stored, {dict(crowd.answers)}")  # noqa: T201 - the figures of this run
    wait_for(lambda: services.ask("/ready")[0] == 200, 10, lambda: str(services.ask("/ready")))


def history_away(services: Services, until: Callable[[], object], patience_s: float) -> None:
    crowd = a_crowd(services, seed=2)
    crowd.wait_for(20)
    services.engine.kill()
    until()
    wait_for(lambda: services.ask("/ready")[0] == 503, 10)
    assert "events have waited" in services.ask("/ready")[1].decode()
    assert set(crowd.answers) == {"202", "200"}, "who sends notices nothing"
    assert services.waiting() > 20
    services.engine.start()
    wait_for(lambda: services.ask("/ready")[0] == 200, patience_s, lambda: services.ingest_log.read_text()[-2000:])
    all_is_well_in_the_end(services, crowd)
    assert set(crowd.answers) == {"202", "200"}


def test_while_the_history_is_away_events_are_taken_and_wait(services: Services) -> None:
    history_away(services, lambda: wait_for(lambda: services.figure("baliza_ingest_failures_total") >= 2, 20), 20)


@pytest.mark.long
@pytest.mark.timeout(HISTORY_AWAY_S + 300)
def test_the_history_may_be_away_for_long(services: Services) -> None:
    history_away(services, lambda: time.sleep(HISTORY_AWAY_S), 90)


def assert_others_go_on(services: Services) -> None:
    """What does not need the live store, and offers, which fall back to what everybody gets."""
    began = time.monotonic()
    assert services.ask("/health")[0] == 200
    assert services.ask("/b.js")[0] == 200
    assert services.offers()["fallback"] == "store_down"
    assert time.monotonic() - began < 3


def assert_told_quickly(services: Services, event_id: str) -> None:
    with Wire(services.url) as wire:
        began = time.monotonic()
        answer = wire.ask(post(batch(event_id)))
        assert time.monotonic() - began < REDIS_TIMEOUT_S + SLACK_S
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1


def live_store_away(services: Services, away_s: float) -> None:
    """Killed, then hanging, each for so long."""
    crowd = a_crowd(services, seed=3)
    crowd.wait_for(20)
    services.valkey.kill()
    crowd.wait_for(5, "503")
    assert_told_quickly(services, "told-at-once")
    assert_others_go_on(services)
    time.sleep(away_s)
    services.valkey.start()
    crowd.wait_for(20)
    process = services.valkey.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    crowd.wait_for(5, "503")
    assert_told_quickly(services, "told-in-time")
    assert_others_go_on(services)
    time.sleep(away_s)
    process.send_signal(signal.SIGCONT)
    crowd.wait_for(20)
    assert set(crowd.answers) <= {"202", "200", "503"}, "no connection broke"
    assert crowd.slowest_s < REDIS_TIMEOUT_S + SLACK_S
    crowd.unsure |= {"told-at-once", "told-in-time"}
    all_is_well_in_the_end(services, crowd)


def test_while_the_live_store_is_away_senders_are_told_and_others_go_on(services: Services) -> None:
    live_store_away(services, 0.2)


@pytest.mark.long
def test_the_live_store_may_be_away_for_long(services: Services) -> None:
    live_store_away(services, 30)


def fill(services: Services, taken: set[str], most: int = 5_000) -> None:
    """Send long events until one is answered 503; writes down what was taken."""
    for number in range(most):
        event_id = f"long-{len(taken)}-{number}"
        long = event(event_id=event_id, at=datetime.now(UTC), page={"url": f"https://shop.test/{'x' * 2000}"})
        status = services.send(long, visitor=f"filler-{number % 50}")
        if status == 503:
            return
        assert status == 202
        taken.add(event_id)
    raise AssertionError(f"never full: {services.redis.info('memory')}")


def test_a_full_live_store_is_read_and_emptied_and_then_takes_events_again(services: Services) -> None:
    assert services.send(event(at=datetime.now(UTC)), visitor="reader") == 202
    services.until_nothing_waits()
    services.stop_ingest()  # so that nothing leaves
    used = services.redis.info("memory")["used_memory"]
    services.redis.config_set("maxmemory", used + 2_000_000)
    taken: set[str] = set()
    fill(services, taken)
    assert len(taken) > 100
    status, body = services.ask("/v1/sessions/current?visitor=reader", secret=True)
    assert status == 200, "what is there can be read"
    assert json.loads(body)["events"] == 1
    assert services.offers("reader")["fallback"] != "store_down"
    assert_told_quickly(services, "no-room")
    services.start_ingest()
    services.until_nothing_waits()
    services.wait_for_status(202, timeout_s=10)
    services.redis.config_set("maxmemory", 0)
    stored = stored_ids(services.client)
    assert taken - stored.keys() == set()
    assert max(stored.values()) == 1
    assert "no-room" not in stored
