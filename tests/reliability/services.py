"""The services of a box without a supervisor: what dies stays dead until the test starts it again."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clickhouse_driver import Client

from baliza.embedded.clickhouse import EmbeddedClickHouse
from baliza.embedded.valkey import steady_port
from baliza.migrations import migrate
from baliza.settings import PARENT_VARIABLE
from tests.reliability.truth import PARTITIONS
from tests.support.collector import RunningCollector
from tests.support.product import wait_for


class Services(RunningCollector):
    """`serve public` and `serve ingest`, each a process, on a live store and a history that a test may end and start."""

    def __init__(self, folder: Path, extra: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.engine = EmbeddedClickHouse(folder / "clickhouse", port=steady_port())
        self.engine.start()
        self.client = Client.from_url(self.engine.url())
        migrate(self.client)
        self.health = steady_port()
        self._ingest: subprocess.Popen[bytes] | None = None
        given = {"BALIZA_CLICKHOUSE_URL": self.engine.url(), "BALIZA_REDIS_TIMEOUT_S": "0.5", "BALIZA_READY_MAX_LAG_S": "2"}
        super().__init__(folder, given | dict(extra or {}), "baliza.cli serve public")

    def start_ingest(self) -> None:
        """Start it (again)."""
        self._ingest = self.another_ingest(self.health)

    def another_ingest(self, health_port: int = 0) -> "subprocess.Popen[bytes]":
        """One that waits for the lease of the first. Who starts it ends it."""
        given = {
            "BALIZA_REDIS_URL": self.valkey.url,
            "BALIZA_PARTITIONS": str(PARTITIONS),
            "BALIZA_DATA_DIR": str(self.folder / "data"),
            "BALIZA_HEALTH_PORT": str(health_port),
            "BALIZA_INGEST_INTERVAL_S": "0.1",
            PARENT_VARIABLE: str(os.getpid()),
        }
        with self.ingest_log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "baliza.cli", "serve", "ingest"],
                stdout=output,
                stderr=output,
                env=os.environ | given | self.extra,
                start_new_session=True,
            )

    @property
    def ingest_log(self) -> Path:
        return self.folder / "ingest.log"

    @property
    def ingest(self) -> "subprocess.Popen[bytes]":
        assert self._ingest is not None
        return self._ingest

    def stop_ingest(self) -> None:
        """In order, so that the next one need not wait for its lease to run out."""
        assert self._ingest is not None
        self._ingest.terminate()
        assert self._ingest.wait(10) == 0
        self._ingest = None

    def kill_ingest(self) -> None:
        if self._ingest is not None:
            self._ingest.kill()
            self._ingest.wait()
            self._ingest = None

    def ask(self, path: str, *, secret: bool = False, timeout_s: float = 10.0) -> tuple[int, bytes]:
        """Status and body of a GET; `secret`: as the shop's server."""
        headers = {"Authorization": "Bearer sk_demo"} if secret else {}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.url + path, headers=headers), timeout=timeout_s
            ) as answer:
                return int(answer.status), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def offers(self, visitor: str = "somebody") -> dict[str, Any]:
        status, body = self.ask(f"/v1/offers?visitor={visitor}&placement=home-hero&limit=3", secret=True)
        assert status == 200, body
        found: dict[str, Any] = json.loads(body)
        return found

    def waiting(self) -> int:
        """Entries in the streams."""
        return sum(self.redis.xlen(f"{{p{partition}}}:events") for partition in range(PARTITIONS))

    def until_nothing_waits(self, timeout_s: float = 60.0) -> None:
        wait_for(
            lambda: self.waiting() == 0, timeout_s, lambda: f"{self.waiting()} wait: {self.ingest_log.read_text()[-2000:]}"
        )

    def figure(self, name: str) -> float:
        """One of ingest's metrics; 0.0 when it has not said any yet."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health}/metrics", timeout=5) as answer:
            found = re.search(rf"^{name}(?:\{{.*\}})? (\S+)$", answer.read().decode(), re.M)
        return float(found[1]) if found else 0.0

    def forget(self) -> None:
        """Empty the history."""
        for table in ("events", "sessions", "receipts"):
            self.client.execute(f"TRUNCATE TABLE {table}")

    def close(self) -> None:
        self.kill_ingest()
        super().close()
        self.client.disconnect()
        self.engine.kill()
