"""The collector as it runs in production: its own process behind a real port, on a live store of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from baliza import stores
from baliza.embedded.valkey import EmbeddedValkey, steady_port
from baliza.settings import PARENT_VARIABLE, Settings
from baliza.sites import Site, add_site
from baliza.stores import install
from schema import keys
from tests.support.collecting import event

PARTITIONS = 8
TRACKER = "baliza.cli serve tracker"


class RunningCollector:
    """`baliza serve tracker` with the site demo (pk_demo, sk_demo, http://shop.test).

    `extra` is more of its environment; `command` another `python -m …`; `redis_url` says where it looks for its live store,
    {port} being the port of the one that runs. With `cluster_url` no live store is started: it works on that one.
    """

    def __init__(
        self,
        folder: Path,
        extra: Mapping[str, str] | None = None,
        command: str = TRACKER,
        redis_url: str = "",
        cluster_url: str = "",
    ) -> None:
        self.folder, self.extra, self.command = folder, dict(extra or {}), command
        self.valkey = EmbeddedValkey(folder / "valkey", steady_port())
        if not cluster_url:
            self.valkey.start()
        store_url = cluster_url or self.valkey.url
        self.redis = stores.redis(Settings(redis_url=store_url))
        install(self.redis, Settings(partitions=PARTITIONS))
        self.site = self.add_site("demo", ["http://shop.test"], "pk_demo", "sk_demo")
        self.port = steady_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "collector.log"
        self._redis_url = redis_url.format(port=self.valkey.port) or store_url
        self.process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        given = {
            "BALIZA_REDIS_URL": self._redis_url,
            "BALIZA_PUBLIC_PORT": str(self.port),
            "BALIZA_COLLECTOR_WORKERS": "1",
            "BALIZA_PARTITIONS": str(PARTITIONS),
            "BALIZA_DATA_DIR": str(self.folder / "data"),
            # Nobody carries its events on, so they wait for as long as the tests take.
            "BALIZA_READY_MAX_LAG_S": "86400",
            PARENT_VARIABLE: str(os.getpid()),
        }
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", *self.command.split()],
                stdout=output,
                stderr=output,
                env=os.environ | given | self.extra,
                start_new_session=True,
            )

    def add_site(self, name: str, origins: Iterable[str], publishable_key: str, secret_key: str) -> Site:
        """Register another site; the collector knows it two seconds later at most."""
        site, _ = add_site(self.redis, name, origins, publishable_key=publishable_key, secret_key=secret_key)
        return site

    def wait_until_listening(self, timeout_s: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(f"nobody listens after {timeout_s} s: {self.log.read_text()}")

    def wait_until_ready(self) -> None:
        """Until keys are known, and without a trace in the live store."""
        self.wait_until_listening()
        self.post({}, timeout_s=60.0)  # the parent listens before its workers have begun, which takes a slow machine long
        self.wait_for_status(202, consent="denied")

    def wait_for_status(self, wanted: int, timeout_s: float = 20.0, **given: object) -> None:
        """Send events until one is answered with `wanted`."""
        deadline = time.monotonic() + timeout_s
        while (status := self.send(event(at=datetime.now(UTC), **given))) != wanted:
            assert time.monotonic() < deadline, f"last answer {status}: {self.log.read_text()}"
            time.sleep(0.05)

    def send(self, *events: Mapping[str, object], visitor: str = "v-1") -> int:
        """The status that a batch of the demo site gets."""
        return self.post({"key": "pk_demo", "visitor": visitor, "events": list(events)})

    def post(self, body: object, timeout_s: float = 10.0) -> int:
        """The status of one POST /o."""
        asked = urllib.request.Request(f"{self.url}/o", json.dumps(body).encode(), {"Content-Type": "text/plain"})
        try:
            with urllib.request.urlopen(asked, timeout=timeout_s) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def taken(self) -> set[str]:
        """The ids of all events that lie in the live store's streams."""
        found = set()
        for partition in range(PARTITIONS):
            for _, fields in self.redis.xrange(keys.events(partition)):
                if b"b" not in fields:
                    continue  # the receipt of a batch of which nothing was taken
                outcome = msgspec.msgpack.decode(fields[b"o"])
                sent = json.loads(fields[b"b"])["events"] if outcome else []
                found |= {sent[row[0]]["event_id"] for row in outcome}
        return found

    def crash(self) -> None:
        """End all its processes at once, in the middle of whatever they do."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def start_again(self) -> None:
        """Back on the same port; does not wait until it listens."""
        self.process = self._spawn()

    def stop(self, timeout_s: float = 30.0) -> int:
        """End it in order; the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def close(self) -> None:
        """Away with all of it; what is worth a graceful end has had it."""
        self.crash()
        self.redis.close()
        self.valkey.kill()
