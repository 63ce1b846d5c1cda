"""Clients that take every connection there is and send as slowly as they may: the others are served all the same."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.support.collector import RunningCollector
from tests.support.wire import Wire, batch, post

pytestmark = pytest.mark.redis

CONNECTIONS = 20
REQUEST_TIMEOUT_S = 30.0


@pytest.fixture
def small(tmp_path: Path) -> Iterator[RunningCollector]:
    limits = {"BALIZA_MAX_CONNECTIONS": str(CONNECTIONS), "BALIZA_REQUEST_TIMEOUT_S": str(REQUEST_TIMEOUT_S)}
    running = RunningCollector(tmp_path, limits)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.close()


def drip(wire: Wire, stop: threading.Event) -> None:
    """A byte now and then, so that the connection is never silent."""
    data = post(batch("dripping")) * 100
    with suppress(OSError):
        for place in range(len(data)):
            wire.send(data[place : place + 1])
            if stop.wait(0.2):
                return


def test_slow_clients_on_every_connection_keep_nobody_out(small: RunningCollector) -> None:
    stop = threading.Event()
    with ExitStack() as open_ones:
        slow = [open_ones.enter_context(Wire(small.url)) for _ in range(CONNECTIONS + 2)]
        threads = [threading.Thread(target=drip, args=(wire, stop)) for wire in slow]
        for thread in threads:
            thread.start()
        try:
            for number in range(2):
                began = time.monotonic()
                with Wire(small.url, timeout_s=REQUEST_TIMEOUT_S) as wire:
                    assert wire.ask(post(batch(f"quick-{number}"))).status == 202
                assert time.monotonic() - began < REQUEST_TIMEOUT_S / 2, "it waited for a slow client's time to be over"
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert {f"quick-{number}" for number in range(2)} <= small.taken()
