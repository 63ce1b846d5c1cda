"""Stopping and reloading under load: what was answered is kept, and what was accepted is answered."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.collector import RunningCollector
from tests.support.load import Load
from tests.support.wire import Wire, batch, get, post

pytestmark = pytest.mark.redis

Start = Callable[..., RunningCollector]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[RunningCollector] = []

    def make(command: str = "baliza.cli serve tracker", workers: int = 2) -> RunningCollector:
        made.append(RunningCollector(tmp_path, {"BALIZA_COLLECTOR_WORKERS": str(workers)}, command))
        made[-1].wait_until_ready()
        return made[-1]

    yield make
    for running in made:
        running.close()


def workers_of(running: RunningCollector, count: int) -> list[psutil.Process]:
    """The worker processes; the last of them may begin after the first has answered."""
    deadline = time.monotonic() + 5
    while len(found := psutil.Process(running.process.pid).children()) < count:
        assert time.monotonic() < deadline, f"{len(found)} workers, not {count}"
        time.sleep(0.02)
    return found


def test_stopping_under_load_fails_no_request(start: Start) -> None:
    running = start()
    load = Load(running, clients=12, reconnect=False)
    load.wait_for(300)
    began = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - began < 5
    load.stop()
    assert load.broken == []
    assert set(load.answers) == {202}
    assert load.taken == running.taken()


def test_stopping_says_goodbye_with_the_last_answer(start: Start) -> None:
    running = start(workers=1)
    with Wire(running.url) as wire:
        wire.ask(post(batch("before")))
        running.process.terminate()
        time.sleep(0.25)
        answer = wire.ask(post(batch("goodbye")))
        assert answer.status == 202
        assert answer.headers["connection"] == "close"
        assert wire.rest() == b""
    assert running.process.wait(5) == 0
    assert running.taken() == {"before", "goodbye"}


def test_stopping_waits_for_a_slow_answer_but_not_for_silence(start: Start) -> None:
    running = start("tests.support.odd_apps", workers=1)
    with Wire(running.url) as silent, Wire(running.url) as slow, Wire(running.url) as half:
        slow.send(get("/slow/1.5"))
        half.send(post(batch("half-sent"))[:-10])
        time.sleep(0.3)
        running.process.terminate()
        half.send(post(batch("half-sent"))[-10:])
        assert half.answer().status == 202
        assert silent.rest() == b""
        assert slow.answer().body == b"/slow/1.5"
    assert running.process.wait(5) == 0
    assert "half-sent" in running.taken()


def test_reloading_under_load_fails_no_request(start: Start) -> None:
    running = start()
    before = {worker.pid for worker in workers_of(running, 2)}
    on_new, kept = Load(running, clients=4, keep_alive=False), Load(running, clients=4)
    on_new.wait_for(50, timeout_s=60)
    running.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 90  # the new ones begin first, which takes a slow machine long
    while before & {child.pid for child in psutil.Process(running.process.pid).children()}:
        assert time.monotonic() < deadline, "the old workers are still there"
        time.sleep(0.05)
    on_new.wait_for(50, timeout_s=60)
    kept.wait_for(50, timeout_s=60)
    for load in (on_new, kept):
        assert set(load.stop()) == {202}
        assert load.broken == []
        assert load.refused == 0
    assert on_new.taken | kept.taken == running.taken()


def test_worker_that_dies_is_replaced(start: Start) -> None:
    running = start(workers=1)
    (worker,) = workers_of(running, 1)
    worker.kill()
    worker.wait(5)
    running.wait_for_status(202)


def test_workers_end_with_their_parent(start: Start) -> None:
    running = start()
    workers = workers_of(running, 2)
    running.process.kill()
    running.process.wait()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
