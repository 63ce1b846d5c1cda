"""Servers for one benchmark: engines and services of baliza in a folder of their own, and F, all on free ports."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from baliza import stores
from baliza.embedded.clickhouse import EmbeddedClickHouse
from baliza.embedded.valkey import EmbeddedValkey, free_port
from baliza.migrations import migrate
from baliza.settings import Settings
from baliza.sites import Site, add_site
from baliza.supervisor import Child
from loadtests.client import LoadError
from loadtests.payloads import KEY, SECRET, SHOP
from loadtests.processes import server_cores
from schema import keys

__all__ = ["Box", "Server", "answers_204", "box", "empty_flask", "wait_until"]

START_S: Final = 60.0
# Limits are kept and counted as everywhere, but all load comes from one address. No offer is cut short: it would cost less.
UNLIMITED: Final[dict[str, Any]] = {
    "network_events_per_minute": 1_000_000_000, "network_burst": 1_000_000_000, "offer_budget_ms": 5_000,
}  # fmt: skip
ENTRIES_AT_ONCE: Final = 2_000
_outcomes: Final = msgspec.msgpack.Decoder(list[msgspec.Raw])
Address = tuple[str, int]


class Server:
    """Something that listens: where, and which processes its work is done by (their children count with them)."""

    def __init__(self, name: str, address: Address, pids: Sequence[int]) -> None:
        self.name, self.address, self.pids = name, address, pids

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"


class Box:
    """The stores of one benchmark, with the site `bench` registered. `clickhouse` is None where no history is needed."""

    def __init__(
        self, settings: Settings, valkey: EmbeddedValkey, clickhouse: EmbeddedClickHouse | None, spread: bool
    ) -> None:
        self.settings, self.valkey, self.clickhouse, self.spread = settings, valkey, clickhouse, spread
        self.redis = stores.redis(settings)
        stores.install(self.redis, settings)
        self.site: Site = add_site(self.redis, "bench", [SHOP], publishable_key=KEY, secret_key=SECRET)[0]

    @property
    def valkey_pid(self) -> int:
        """The live store's process."""
        assert self.valkey.process is not None
        return self.valkey.process.pid

    @contextmanager
    def serving(self, service: str, workers: int = 1) -> Iterator[Server]:
        """One service of baliza that takes events, on a free port, while inside.

        Its processes are counted together with the live store's.
        """
        settings = replace(self.settings, public_port=free_port(), collector_workers=workers)
        with self._child(service, settings, settings.public_port, _takes_events) as server:
            yield server

    @contextmanager
    def carrying(self) -> Iterator[Server]:
        """The ingest process, while inside; it answers /health only."""
        settings = replace(self.settings, health_port=free_port())
        with self._child("ingest", settings, settings.health_port, _is_well, behind=True) as one:
            yield one

    @contextmanager
    def reporting(self) -> Iterator[Server]:
        """The console with its reports, while inside."""
        settings = replace(self.settings, private_port=free_port())
        with self._child("console", settings, settings.private_port, _is_well, behind=True) as one:
            yield one

    @contextmanager
    def _child(
        self, service: str, settings: Settings, port: int, ready: Callable[[str], bool], behind: bool = False
    ) -> Iterator[Server]:
        (settings.data_dir / "run" / "metrics").mkdir(parents=True, exist_ok=True)
        child = Child(service, settings)
        with _cores_of(behind and self.spread):
            child.start()
        assert child.process is not None
        try:
            server = Server(service, ("127.0.0.1", port), [child.process.pid, self.valkey_pid])
            wait_until(lambda: ready(server.url), child.running, settings.data_dir / "logs" / f"{service}.log")
            yield server
        finally:
            child.stop()

    def settle(self, server: Server) -> None:
        """Wait until the collector has done all that was sent to it before, also what nobody waits for any more.

        One wake-up reads all that has arrived, and the store is told in order, so it is done when one more is.
        """
        if not _takes_events(server.url):
            raise LoadError(f"{server.name} does not answer after the load")

    def streamed(self) -> int:
        """How many events wait in the streams. An entry is one request, and says what was decided about each event taken."""
        return sum(self._taken(keys.events(partition)) for partition in range(self.settings.partitions))

    def _taken(self, stream: str) -> int:
        count, after = 0, "-"
        while entries := self.redis.xrange(stream, after, count=ENTRIES_AT_ONCE):
            count += sum(len(_outcomes.decode(fields[b"o"])) for _, fields in entries)
            after = f"({entries[-1][0].decode()}"
        return count

    def forget_streams(self) -> None:
        """Drop what waits for the history, as if it had been carried there, and wait until its memory is free."""
        self.redis.delete(*(keys.events(partition) for partition in range(self.settings.partitions)))
        # Valkey frees in a thread of its own: without the wait neither memory nor the next load's CPU would be right.
        while self.redis.info("memory")["lazyfree_pending_objects"]:
            time.sleep(0.01)


def _cores_of(spread: bool) -> AbstractContextManager[None]:
    return nullcontext() if spread else server_cores()


@contextmanager
def box(
    folder: Path, with_history: bool = False, valkey_options: Mapping[str, str] | None = None, spread: bool = False
) -> Iterator[Box]:
    """A box in `folder`, which must be empty. Everything has ended at the end. `valkey_options`: lines of valkey.conf.

    spread: what stands behind the live store may use the load's cores too, as on a box that is all baliza's.
    """
    valkey = EmbeddedValkey(folder / "valkey", options=dict(valkey_options or {}))
    clickhouse = EmbeddedClickHouse(folder / "clickhouse") if with_history else None
    opened: Box | None = None
    try:
        with server_cores():
            valkey.start()
        with _cores_of(spread):
            if clickhouse:
                clickhouse.start()
        history_url = clickhouse.url() if clickhouse else ""
        settings = Settings(
            data_dir=folder / "data", redis_url=valkey.url, clickhouse_url=history_url, redis_timeout_s=10.0, **UNLIMITED
        )
        if clickhouse:
            client = stores.clickhouse(settings)
            migrate(client)
            client.disconnect()
        opened = Box(settings, valkey, clickhouse, spread)
        yield opened
    finally:
        if opened:
            opened.redis.close()
        if clickhouse:
            clickhouse.stop()
        valkey.stop()


@contextmanager
def empty_flask(folder: Path, worker_class: str) -> Iterator[Server]:
    """F under one gunicorn worker of this class (gthread with 8 threads), while inside."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "8"]
    command += ["--worker-class", worker_class, "--log-level", "warning", "--no-control-socket", "loadtests.empty_flask:app"]
    root = str(Path(__file__).parents[1])
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"flask-{worker_class}.log"
    with server_cores(), log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=root, start_new_session=True)
    try:
        server = Server(f"empty Flask view, {worker_class}", ("127.0.0.1", port), [process.pid])
        wait_until(lambda: answers_204(server.url), lambda: process.poll() is None, log)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(25)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def wait_until(done: Callable[[], bool], alive: Callable[[], bool], log: Path, timeout_s: float = START_S) -> None:
    """Wait until a server does what is asked. LoadError with the end of its log when it dies or takes too long."""
    deadline = time.monotonic() + timeout_s
    while not done():
        if not alive() or time.monotonic() > deadline:
            end = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
            raise LoadError(f"a server did not start within {timeout_s:.0f} s; the end of its log:\n{end}")
        time.sleep(0.02)


def answers_204(url: str) -> bool:
    """True when a POST to /o is answered as F and N do."""
    return _status("POST", f"{url}/o") == 204


def _takes_events(url: str) -> bool:
    """True when the collector knows the site's key. Asked with an event that leaves no trace: consent was not given."""
    event = {"event_id": "warm-up", "type": "page_view", "occurred_at": "2026-01-01T00:00:00Z", "consent": "denied"}
    body = {"visitor": "warm-up", "events": [event]}
    return _status("POST", f"{url}/o", json=body, headers={"Authorization": f"Bearer {SECRET}"}) == 202


def _is_well(url: str) -> bool:
    return _status("GET", f"{url}/health") == 200


def _status(method: str, url: str, **given: object) -> int:
    try:
        with httpx.Client(trust_env=False, timeout=5) as client:
            return client.request(method, url, **given).status_code  # type: ignore[arg-type]
    except httpx.HTTPError:
        return 0
