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
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from clickhouse_driver import Client
from redis import Redis

from baliza.embedded.valkey import free_port

pytestmark = [pytest.mark.network, pytest.mark.timeout(180)]
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
ROOT = Path(__file__).parents[2]


def wait_for(condition: Callable[[], Any], timeout_s: float, why: Callable[[], str] = lambda: "") -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, why()
        time.sleep(0.05)
    return found


def status_of(url: str, body: object = None) -> int:
    """The status that a request gets; 0 when nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with OPENER.open(urllib.request.Request(url, data, {"Content-Type": "text/plain"}), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


class Product:
    """`baliza up` in a folder. Its output is in out.txt, unless `output` says where else."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder, self.public, self.private = folder, free_port(), free_port()
        self.data = folder / "data"
        self.env = os.environ | {
            "BALIZA_PUBLIC_PORT": str(self.public),
            "BALIZA_PRIVATE_PORT": str(self.private),
            "BALIZA_PARTITIONS": "8",
            "BALIZA_INGEST_INTERVAL_S": "0.1",
            "BALIZA_COLLECTOR_WORKERS": "1",
            "PYTHONPATH": str(ROOT),
        } | env  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.public}"

    @property
    def output(self) -> str:
        return (self.folder / "out.txt").read_text(errors="replace")

    def start(self, output: Any = None) -> float:
        """Start, wait until it is ready; answers the seconds that took."""
        began = time.monotonic()
        with (self.folder / "out.txt").open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "baliza.cli", "up"], stdout=output or file, stderr=output or file,
                cwd=self.folder, env=self.env, start_new_session=True,
            )  # fmt: skip
        process = self.process
        wait_for(lambda: process.poll() is not None or self.ready() == (200, 200), 60, lambda: self.output)
        assert process.poll() is None, self.output
        return time.monotonic() - began

    def ready(self) -> tuple[int, int]:
        return status_of(f"{self.url}/ready"), status_of(f"http://127.0.0.1:{self.private}/ready")

    def run(self, *words: str) -> str:
        """Another command of baliza in the same folder."""
        done = subprocess.run(
            [sys.executable, "-m", "baliza.cli", *words], cwd=self.folder, env=self.env, capture_output=True, text=True,
            timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    def stop(self, number: int = signal.SIGINT) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(40)

    def endpoints(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.data / "run/endpoints.json").read_text())
        return found

    def event_ids(self) -> list[str]:
        client = Client.from_url(self.endpoints()["clickhouse_url"])
        try:
            return [event_id for (event_id,) in client.execute("SELECT event_id FROM events")]
        finally:
            client.disconnect()

    def waiting(self) -> int:
        with Redis.from_url(self.endpoints()["redis_url"]) as client:
            return sum(client.xlen(f"{{p{partition}}}:events") for partition in range(8))

    def process_of(self, words: str) -> list[int]:
        """Processes of the supervisor's whole tree whose command line has these words."""
        assert self.process is not None
        return [pid for pid, command in tree(self.process.pid).items() if words in command]

    def left(self) -> list[str]:
        """Command lines of processes that have to do with the folder."""
        return [command for _, command in processes().values() if str(self.data) in command]


def processes() -> dict[int, tuple[int, str]]:
    """Parent and command line of every living process."""
    shown = subprocess.run(
        ["ps", "-axww", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 3) for line in shown.splitlines()]
    return {int(row[0]): (int(row[1]), row[3]) for row in rows if len(row) == 4 and not row[2].startswith("Z")}


def tree(root: int) -> dict[int, str]:
    """Command lines of a process and all that it started, by id."""
    known = processes()
    found = {root: known[root][1]} if root in known else {}
    while more := {pid: command for pid, (parent, command) in known.items() if parent in found and pid not in found}:
        found |= more
    return found


def event(visitor: str) -> dict[str, Any]:
    return {"event_id": uuid4().hex, "type": "page_view", "occurred_at": datetime.now(UTC).isoformat(),
            "page": {"url": f"https://lamps.example/{visitor}"}}  # fmt: skip


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
    assert product.start() < 15
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
    assert time.monotonic() - asked_at < 15
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


def send_events(product: Product, key: str, stop: threading.Event, accepted: list[str], statuses: set[int]) -> None:
    """As the beacon does: an event is sent until it is accepted, and again while the product is away."""
    number = 0
    while not stop.is_set():
        number += 1
        visitor = f"v-{number % 50}"
        events = [event(visitor) for _ in range(3)]
        while (status := status_of(f"{product.url}/o", {"key": key, "visitor": visitor, "events": events})) != 202:
            statuses.add(status)
            if stop.wait(0.05):
                return
        accepted.extend(each["event_id"] for each in events)


def kill_one(product: Product, victim: str) -> None:
    """Kill the youngest process of that name (of a collector, a worker), and wait for another."""
    before = product.process_of(victim)
    os.kill(before[-1], signal.SIGKILL)
    wait_for(lambda: before[-1] not in processes(), 5)
    wait_for(lambda: len(product.process_of(victim)) >= len(before), 15, lambda: f"{victim}: {product.output}")


def survive(product: Product, victims: Sequence[str], every_s: float) -> None:
    """Kill the victims, one after the other, while events are sent; all come back, and every accepted event is kept once."""
    product.env["BALIZA_COLLECTOR_WORKERS"] = "2"
    product.start()
    key = key_of(product.run("site", "add", "lamps", "--origin", "*"))
    wait_for(lambda: status_of(f"{product.url}/o", {"key": key, "visitor": "v", "events": [event("v")]}) == 202, 5)
    time.sleep(2.5)  # until every worker has read of the new site
    (first,) = wait_for(product.event_ids, 10)
    accepted: list[str] = [first]
    stop, statuses = threading.Event(), set[int]()
    senders = [threading.Thread(target=send_events, args=(product, key, stop, accepted, statuses)) for _ in range(2)]
    for sender in senders:
        sender.start()
    for victim in victims:
        kill_one(product, victim)
        time.sleep(every_s)
    wait_for(lambda: product.ready() == (200, 200), 20, lambda: product.output)
    count = len(accepted)
    wait_for(lambda: len(accepted) > count, 10)
    stop.set()
    for sender in senders:
        sender.join(15)
    wait_for(lambda: product.waiting() == 0, 30)
    assert len(accepted) > 100
    stored = product.event_ids()
    assert len(stored) == len(set(stored))
    assert set(accepted) - set(stored) == set()
    # An event whose answer was lost on the way may be in as well; nothing else may.
    assert len(set(stored) - set(accepted)) <= 3 * len(senders) * len(victims)
    assert statuses <= {0, 503}  # what makes the beacon try again; a worker that knows no sites yet must not say 401
    assert product.stop() == 0


VICTIMS = ("serve ingest", "serve public", "valkey-server", "baliza.embedded.clickhouse")


def test_what_is_killed_comes_back_and_no_accepted_event_is_lost(product: Product) -> None:
    survive(product, VICTIMS, 0.5)


@pytest.mark.long
def test_what_is_killed_again_and_again_comes_back(product: Product) -> None:
    survive(product, VICTIMS * 3, 3.0)
