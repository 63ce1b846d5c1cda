"""Locust runs in a process of its own here, because it patches the standard library when it is imported."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from baliza.sites import add_token
from loadtests.payloads import KEY, SECRET, SHOP
from loadtests.servers import Box, Server, box

ROOT = Path(__file__).parents[2]


def locust(public: Server, *more: str, key: str = KEY, seconds: int = 6) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless", "-u", "10", "-r", "10"]
    command += ["-t", f"{seconds}s", "--host", public.url, "--key", key, "--origin", SHOP, "--speed", "30"]
    command += ["--most-p99-ms", "10000", *more]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with box(tmp_path_factory.mktemp("locust"), with_history=True) as found:
        yield found


@pytest.fixture(scope="module")
def public(opened: Box) -> Iterator[Server]:
    with opened.serving("public") as server:
        yield server


@pytest.mark.long
@pytest.mark.network
@pytest.mark.parametrize("shape", ["steady", "step", "sale"])
def test_every_accepted_event_of_every_shape_is_found_again(opened: Box, public: Server, shape: str) -> None:
    with opened.carrying(), opened.reporting() as console:
        token = add_token(opened.redis, opened.site.name)
        more = ["--shape", shape, "--secret-key", SECRET, "--token", token, "--reports-url", console.url]
        done = locust(public, *more)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "/v1/offers" in done.stdout + done.stderr
    assert "live store: " in done.stderr
    assert "history: " in done.stderr
    assert " 0 visitors compared" not in done.stderr


@pytest.mark.long
@pytest.mark.network
def test_failing_requests_fail_the_run(public: Server) -> None:
    done = locust(public, key="pk_nobody", seconds=3)
    assert done.returncode == 1
    assert "failed requests" in done.stderr


@pytest.mark.long
@pytest.mark.network
def test_slow_answers_fail_the_run(public: Server) -> None:
    done = locust(public, "--most-p99-ms", "0.001", seconds=3)
    assert done.returncode == 1
    assert "expected 99 % of answers within 0 ms" in done.stderr


@pytest.mark.long
@pytest.mark.network
def test_a_lost_event_fails_the_run(opened: Box, public: Server) -> None:
    stop = threading.Event()

    def lose() -> None:
        """Profiles vanish now and then, as they would from a store that forgets."""
        while not stop.is_set():
            for key in opened.redis.scan_iter("{p*}:v:*"):
                opened.redis.delete(key)
            time.sleep(0.5)

    losing = threading.Thread(target=lose)
    losing.start()
    try:
        done = locust(public, "--secret-key", SECRET, seconds=5)
    finally:
        stop.set()
        losing.join()
    assert done.returncode == 1
    assert "accepted events are missing in the live store" in done.stderr


@pytest.mark.long
@pytest.mark.network
def test_a_check_that_cannot_be_made_fails_the_run(public: Server) -> None:
    done = locust(public, "--secret-key", "sk_wrong", seconds=3)
    assert done.returncode == 1
    assert "could not look" in done.stderr
