"""`baliza up` as people run it: a real process in a folder of its own, on free ports."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from clickhouse_driver import Client
from redis import Redis

from baliza.embedded.valkey import steady_port
from tests.support.waiting import wait_for

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
ROOT = Path(__file__).parents[2]


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
        self.folder, self.public, self.private = folder, steady_port(), steady_port()
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
