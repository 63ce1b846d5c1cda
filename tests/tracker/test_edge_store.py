"""What becomes of requests when the live store dies, hangs, fills up or forgets. Each test has its own store and process."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.collector import RunningCollector
from tests.support.load import Load
from tests.support.wire import Wire, batch, get, post

pytestmark = pytest.mark.redis

REDIS_TIMEOUT_S = 0.5
SLACK_S = 0.6  # the clock of the loop ticks every quarter of a second; the rest is a busy machine


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RunningCollector]]:
    made: list[RunningCollector] = []

    def make(redis_url: str = "", ready: bool = True) -> RunningCollector:
        made.append(RunningCollector(tmp_path, {"BALIZA_REDIS_TIMEOUT_S": str(REDIS_TIMEOUT_S)}, redis_url=redis_url))
        if ready:
            made[-1].wait_until_ready()
        return made[-1]

    yield make
    for running in made:
        running.close()


Start = Callable[..., RunningCollector]


def seconds(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def test_killed_store_costs_503_and_comes_back(start: Start) -> None:
    running = start()
    load = Load(running, clients=8)
    load.wait_for(100)
    running.valkey.kill()
    load.wait_for(20, status=503)
    with Wire(running.url) as wire:
        answer = wire.ask(post(batch("down")))
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        assert wire.ask(get("/health")).status == 200
        running.valkey.start()
        assert seconds(lambda: running.wait_for_status(202)) < 3.0
        assert wire.ask(post(batch("down"))).status == 202, "the same connection, the same event"
    load.wait_for(50)
    answers = load.stop()
    assert set(answers) <= {202, 503}, "no connection was lost"
    assert load.slowest_s < REDIS_TIMEOUT_S + SLACK_S
    assert load.taken <= running.taken(), "the log is written before the answer, so a kill loses nothing"


@pytest.mark.alone
def test_hanging_store_costs_503_within_the_timeout(start: Start) -> None:
    running = start()
    assert running.valkey.process
    with Wire(running.url) as wire, Wire(running.url) as other:
        os.kill(running.valkey.process.pid, signal.SIGSTOP)
        try:
            wire.send(post(batch("hangs")))
            assert other.ask(get("/health")).status == 200
            began = time.monotonic()
            assert wire.answer().status == 503
            assert time.monotonic() - began < REDIS_TIMEOUT_S + SLACK_S
            assert seconds(lambda: wire.ask(post(batch("hangs-too")))) < 0.2, "known to be down: told at once"
        finally:
            os.kill(running.valkey.process.pid, signal.SIGCONT)
        running.wait_for_status(202, timeout_s=6)
        assert wire.ask(post(batch("hangs"))).status == 202
    assert "hangs" in running.taken()


def test_full_store_takes_nothing_by_halves_and_is_not_complained_about_endlessly(start: Start) -> None:
    running = start()
    before = running.redis.keys()
    running.redis.config_set("maxmemory", 1)
    with Wire(running.url) as wire:
        for _ in range(100):
            assert wire.ask(post(batch("full"))).status == 503
        assert running.redis.keys() == before
        running.redis.config_set("maxmemory", 0)
        answer = wire.ask(post(batch("full")))
        assert answer.status == 202
        assert "x-baliza-dropped" not in answer.headers
    assert running.taken() == {"full"}
    assert 1 <= running.log.read_text().count("OOM command not allowed") <= 3


@pytest.mark.long
def test_wrong_password_is_told_and_mended_without_a_restart(start: Start) -> None:
    running = start(redis_url="redis://:wrong@127.0.0.1:{port}/0", ready=False)
    running.wait_until_listening()
    with Wire(running.url) as wire:
        answer = wire.ask(post(batch("locked-out")))
        assert answer.status == 503
        assert b"live store" in answer.body
        assert "WRONGPASS" in running.log.read_text()
        running.redis.config_set("requirepass", "wrong")
        assert seconds(lambda: running.wait_for_status(202)) < 3.5
        assert wire.ask(post(batch("locked-out"))).status == 202


def test_lost_functions_are_loaded_again(start: Start) -> None:
    running = start()
    running.redis.function_flush()
    assert seconds(lambda: running.wait_for_status(202)) < 1.0
    assert "had lost its functions" in running.log.read_text()


def test_empty_store_after_a_restart_is_furnished_again(start: Start) -> None:
    running = start()
    running.valkey.kill()
    for file in (running.folder / "valkey" / "appendonlydir").iterdir():
        file.unlink()
    running.valkey.start()
    running.add_site("demo", ["http://shop.test"], "pk_demo", "sk_demo")
    assert seconds(lambda: running.wait_for_status(202)) < 3.0


def test_store_that_starts_later_is_found(start: Start) -> None:
    running = start(ready=False)
    running.valkey.kill()
    running.wait_until_listening()
    with Wire(running.url) as wire:
        assert wire.ask(post(batch("early"))).status == 503
        running.valkey.start()
        running.wait_for_status(202)
        assert wire.ask(post(batch("early"))).status == 202
