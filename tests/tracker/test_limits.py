"""Rate limits as senders meet them: at the collector's door, in its metrics, and in nothing that is kept."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import msgspec
import pytest

from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import RedisClient
from schema import keys
from tests.support.collecting import Shop, event
from tests.support.collector import RunningCollector
from tests.support.wire import Wire, batch, post
from tracker.request import Answer

pytestmark = pytest.mark.redis

FEW = {
    "visitor_events_per_minute": 60, "visitor_burst": 10, "network_events_per_minute": 600, "network_burst": 100,
    "server_events_per_minute": 120, "trusted_proxies": 1,
}  # fmt: skip
PAGE = {"origin": "http://shop.test", "x-forwarded-for": "198.51.100.7"}
OTHER_NETWORK = {"origin": "http://shop.test", "x-forwarded-for": "203.0.113.7"}


@pytest.fixture
def strict(redis_client: RedisClient, settings: Settings, demo_site: Site) -> Shop:
    return Shop(redis_client, dataclasses.replace(settings, **FEW))


def events(number: int) -> list[dict[str, object]]:
    return [event() for _ in range(number)]


def stored(redis: RedisClient) -> int:
    return sum(redis.xlen(keys.events(partition)) + redis.xlen(keys.quarantine(partition)) for partition in range(8))


def refused(answer: Answer) -> int:
    """The seconds after which a refused sender is told to come back."""
    headers = dict(answer.headers)
    assert (answer.status, headers["Content-Type"]) == (429, "application/problem+json")
    assert msgspec.json.decode(answer.body)["title"] == "Too many events"
    return int(headers["Retry-After"])


def test_a_visitor_over_the_limit_is_told_when_to_come_back_and_is_taken_then(strict: Shop) -> None:
    assert strict.send(*events(20), headers=PAGE).status == 202
    before, again = stored(strict.redis), [*events(3), {"no": "event"}]
    wait_s = refused(strict.send(*again, headers=PAGE))
    assert wait_s == 11
    assert (stored(strict.redis), len(strict.tallies)) == (before, 1), "nothing of a refused batch is kept or counted"
    assert strict.send(*events(3), visitor="v-2", headers=PAGE).status == 202, "others of the network are not meant"
    strict.now += timedelta(seconds=wait_s)
    assert strict.send(*again, headers=PAGE).status == 200


def test_pages_of_the_shop_can_read_it(strict: Shop) -> None:
    strict.send(*events(20), headers=PAGE)
    headers = dict(strict.send(*events(1), headers=PAGE).headers)
    assert headers["Access-Control-Allow-Origin"] == "http://shop.test"
    assert "Retry-After" in headers["Access-Control-Expose-Headers"]


def test_a_network_over_the_limit_is_refused_before_its_body_is_read(strict: Shop) -> None:
    for number in range(10):
        assert strict.send(*events(11), visitor=f"v-{number}", headers=PAGE).status == 202
    assert refused(strict.post(b"{ no JSON", PAGE)) >= 1
    assert strict.post(b"{ no JSON", OTHER_NETWORK).status == 400
    assert strict.send(*events(1), visitor="v-new", headers=OTHER_NETWORK).status == 202


def test_broken_bodies_and_unknown_keys_count_for_their_network(strict: Shop) -> None:
    assert [strict.post(b"{ no JSON", PAGE).status for _ in range(50)] == [400] * 50
    strict.key = "pk_nobody"
    assert [strict.send(*events(1), headers=PAGE).status for _ in range(51)] == [401] * 50 + [429]


def test_a_pixel_is_limited_and_stays_a_picture(strict: Shop) -> None:
    target = "/o.gif?key=pk_demo&visitor=v-1"
    answers = [strict.post(b"", PAGE, target, "GET") for _ in range(11)]
    assert [answer.status for answer in answers] == [200] * 10 + [429]
    headers = dict(answers[-1].headers)
    assert (headers["Content-Type"], headers["Retry-After"], len(answers[-1].body)) == ("image/gif", "1", 43)


def test_a_server_is_limited_by_its_own_ceiling_only(strict: Shop) -> None:
    for number in range(30):
        assert strict.send_as_server(*events(4), visitor=f"v-{number % 2}").status == 202
    assert refused(strict.send_as_server(*events(1))) == 1
    assert strict.send(*events(1), headers=PAGE).status == 202


def test_by_default_a_log_is_replayed_with_the_secret_key_as_fast_as_it_goes(shop: Shop) -> None:
    for _ in range(30):
        assert shop.send_as_server(*events(400), visitor="v-1").status == 202


def test_a_load_balancer_that_says_nothing_of_its_clients_is_no_network(strict: Shop) -> None:
    """Nor is this box, with all its simulated shoppers."""
    for address in ("10.0.0.7", "127.0.0.1", "fd00::7"):
        for number in range(20):
            answer = strict.send(*events(10), visitor=f"v-{address}-{number}", headers=PAGE | {"x-forwarded-for": address})
            assert answer.status == 202


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[dict[str, str]], RunningCollector]]:
    started = []

    def make(extra: dict[str, str]) -> RunningCollector:
        started.append(RunningCollector(tmp_path / str(len(started)), extra))
        started[-1].wait_until_ready()
        return started[-1]

    yield make
    for running in started:
        running.close()


def test_refusals_are_in_the_metrics(start: Callable[[dict[str, str]], RunningCollector]) -> None:
    running = start({"BALIZA_VISITOR_EVENTS_PER_MINUTE": "60", "BALIZA_VISITOR_BURST": "5"})
    with Wire(running.url) as wire:
        answers = [wire.ask(post(batch(f"e-{number}", visitor="v-eager"))) for number in range(8)]
    assert [answer.status for answer in answers] == [202] * 5 + [429] * 3
    assert answers[-1].headers["retry-after"] == "1"
    assert running.taken() == {f"e-{number}" for number in range(5)}
    deadline = time.monotonic() + 20
    while 'baliza_collector_answers_total{status="429"} 3.0' not in httpx.get(f"{running.url}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)
