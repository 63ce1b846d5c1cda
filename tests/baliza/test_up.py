"""`baliza up` as people run it: a real process in a folder of its own, on free ports; started, used, killed, stopped."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.product import Product, event, processes, status_of, tree, wait_for

pytestmark = [pytest.mark.network, pytest.mark.timeout(180)]


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    made = Product(tmp_path)
    yield made
    if made.process and made.process.poll() is None:
        everything = tree(made.process.pid)
        made.process.kill()
        made.process.wait()
        for pid in everything.keys() & processes().keys():
            os.kill(pid, signal.SIGKILL)


def key_of(said: str) -> str:
    return re.findall(r"pk_\S+", said)[0]


def test_comes_up_takes_events_shows_them_stops_and_finds_them_again(product: Product) -> None:
    assert product.start() < 40
    key = key_of(product.run("site", "add", "lamps", "--origin", "https://lamps.example"))
    sent = event("v-1")
    body = {"key": key, "visitor": "v-1", "events": [sent]}
    wait_for(lambda: status_of(f"{product.url}/o", body) == 202, 5)

    def reported() -> list[dict[str, Any]]:
        shown = product.run("report", "sessions", "--site", "lamps", "--bots", "--format", "json")
        sessions: list[dict[str, Any]] = json.loads(shown)["sessions"]
        return sessions

    (session,) = wait_for(reported, 10)
    assert session["visitor_id"] == "v-1"
    assert (product.data / "logs/public.log").exists()
    assert "ready after" in product.output
    passwords = [url.split("@")[0].rpartition(":")[2] for url in product.endpoints().values()]
    assert product.process is not None
    everything = tree(product.process.pid)
    assert len(everything) >= 8, everything
    assert not any(password in command for password in passwords for command in everything.values())
    assert [file for file in product.data.rglob("*") if file.is_file() and file.stat().st_mode & 0o077] == []

    asked_at = time.monotonic()
    assert product.stop() == 0
    assert time.monotonic() - asked_at < 30
    assert everything.keys() & processes().keys() == set()
    assert product.left() == []
    assert "stopping" in product.output
    assert not (product.data / "run/endpoints.json").exists()

    product.start()
    assert [each["session_id"] for each in reported()] == [session["session_id"]]
    assert product.run("site", "list").split()[:2] == ["lamps", key]
    assert product.stop(signal.SIGHUP) == 0


def test_a_second_supervisor_is_refused_and_clears_up_after_the_first_was_killed(product: Product) -> None:
    product.start()
    key = key_of(product.run("site", "add", "lamps", "--origin", "*"))
    sent = event("v-1")
    wait_for(lambda: status_of(f"{product.url}/o", {"key": key, "visitor": "v-1", "events": [sent]}) == 202, 5)
    assert product.process is not None
    assert f"(process {product.process.pid})" in refusal(product)
    assert f"the public port {product.public} on 127.0.0.1 is taken" in refusal(product, BALIZA_DATA_DIR="other")
    assert product.ready() == (200, 200)
    before = tree(product.process.pid)
    product.process.kill()
    product.process.wait()
    product.start()
    assert "a former run was killed; its live store has been stopped" in product.output
    assert before.keys() & processes().keys() == set()
    wait_for(lambda: product.event_ids() == [sent["event_id"]], 10)
    assert product.stop() == 0
    assert product.left() == []


def refusal(product: Product, **env: str) -> str:
    """What another `baliza up` says that does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "baliza.cli", "up"], cwd=product.folder, env=product.env | env, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_service_that_does_not_start_stops_the_others_and_tells_why(product: Product) -> None:
    (product.data / "secrets").mkdir(parents=True)
    (product.data / "secrets/console.key").touch(mode=0o644)
    assert refusal(product).startswith("baliza: console did not start: ")
    assert product.left() == []


def test_on_a_terminal_the_line_lives_and_says_when_a_store_is_away(product: Product) -> None:
    reader, writer = pty.openpty()
    seen = bytearray()

    def read() -> None:
        try:
            while more := os.read(reader, 4096):
                seen.extend(more)
        except OSError:
            return

    thread = threading.Thread(target=read)
    thread.start()
    product.env["BALIZA_REDIS_TIMEOUT_S"] = "0.5"
    product.start(output=writer)
    os.close(writer)
    wait_for(lambda: seen.count(b"\r\x1b[K") > 5 and b"live sessions" in seen, 20)
    (valkey,) = product.process_of("valkey-server")
    os.kill(valkey, signal.SIGSTOP)
    wait_for(lambda: b"no figures: the live store does not answer" in seen, 20)
    os.kill(valkey, signal.SIGCONT)
    os.kill(valkey, signal.SIGKILL)
    wait_for(lambda: b"valkey has ended; starting it again in 1 s" in seen and b"valkey runs again" in seen, 20)
    # The collector's gunicorn, whose workers still have the port.
    os.kill(product.process_of("serve public")[0], signal.SIGKILL)
    wait_for(lambda: b"public runs again" in seen and product.ready() == (200, 200), 20)
    assert product.stop() == 0
    thread.join(5)
    os.close(reader)
