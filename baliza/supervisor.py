"""Everything on one box under one parent: start in order, start again what dies, stop in reverse."""

import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import IO, Protocol

from redis import Redis
from redis.exceptions import RedisError

from baliza import stores
from baliza.embedded.clickhouse import EmbeddedClickHouse
from baliza.embedded.valkey import EmbeddedValkey, free_port
from baliza.errors import BalizaError, PortTaken
from baliza.loops import PARENT_VARIABLE
from baliza.settings import ENV_PREFIX, Settings

__all__ = ["Child", "Part", "Supervisor", "check_ports", "environment", "lock_data_dir"]

log = logging.getLogger("baliza.supervisor")

RESTART_MOST_S = 10.0
STEADY_S = 30.0  # a part that ran this long may be started again at once


class Part(Protocol):
    """Something that runs beside us."""

    name: str

    def start(self) -> None:
        """Start it; for an engine also wait until it answers. Raises BalizaError."""

    def running(self) -> bool: ...

    def stop(self) -> None:
        """End it in order, and wait for it."""


@dataclass
class Child:
    """A `baliza serve …` process. Its output goes to <data_dir>/logs/<name>.log."""

    name: str
    settings: Settings
    extra_env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        logs = self.settings.data_dir / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / f"{self.name}.log").open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "baliza.cli", "serve", self.name],
                stdout=output,
                stderr=output,
                env=environment(self.settings) | dict(self.extra_env),
                start_new_session=True,
            )

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(25)
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop in time; killed", self.name)
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass
class ValkeyPart:
    server: EmbeddedValkey
    name: str = "valkey"

    def start(self) -> None:
        self.server.start()

    def running(self) -> bool:
        return self.server.process is not None and self.server.process.poll() is None

    def stop(self) -> None:
        self.server.stop()


@dataclass
class ClickHousePart:
    server: EmbeddedClickHouse
    name: str = "clickhouse"

    def start(self) -> None:
        self.server.start()

    def running(self) -> bool:
        return self.server.pid is not None

    def stop(self) -> None:
        self.server.stop()


def engines(settings: Settings) -> tuple[list[Part], Settings]:
    """The embedded engines that the settings leave to us, and settings that point at them. Restarted, they keep their ports."""
    parts: list[Part] = []
    redis_url, clickhouse_url = settings.redis_url, settings.clickhouse_url
    if not redis_url:
        _end_left_over(settings)
        valkey = EmbeddedValkey(settings.data_dir / "valkey", port=free_port())
        parts.append(ValkeyPart(valkey))
        redis_url = valkey.url
    if not clickhouse_url:
        engine = EmbeddedClickHouse(settings.data_dir / "clickhouse", port=free_port())
        parts.append(ClickHousePart(engine))
        clickhouse_url = engine.url()
    pointed = {entry.name: getattr(settings, entry.name) for entry in fields(Settings)}
    return parts, Settings(**(pointed | {"redis_url": redis_url, "clickhouse_url": clickhouse_url}))


def _end_left_over(settings: Settings) -> None:
    """A supervisor that was killed leaves its Valkey behind, and two servers must not write one log: end the old one."""
    file = stores.endpoints_file(settings)
    if not file.exists():
        return
    try:
        with Redis.from_url(stores.redis_url(settings), socket_connect_timeout=1, socket_timeout=10) as client:
            client.shutdown(nosave=True)
    except (RedisError, BalizaError):
        log.debug("no live store was left behind")


@dataclass
class Supervisor:
    """Keeps parts running. start() in the given order, stop() in reverse; watch() starts again what died."""

    parts: Sequence[Part]
    stopping: threading.Event = field(default_factory=threading.Event)
    _failures: dict[str, float] = field(default_factory=dict)
    _retry_at: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        """Start all. If one does not start, those that did are stopped and its error is raised."""
        for part in self.parts:
            try:
                part.start()
            except BalizaError:
                self.stop()
                raise

    def watch(self, now: float) -> list[str]:
        """Start again what has died, each more slowly every time it dies young. Answers the names of what was started."""
        started = []
        for part in self.parts:
            if part.running() or self.stopping.is_set():
                continue
            if part.name not in self._retry_at:
                died_young = now - self._failures.get(part.name, -STEADY_S) < STEADY_S
                self._retry_at[part.name] = now + (1.0 if not died_young else RESTART_MOST_S / 2)
                log.warning("%s is not running; starting it again", part.name)
            if now >= self._retry_at[part.name]:
                del self._retry_at[part.name]
                self._failures[part.name] = now
                try:
                    part.start()
                    started.append(part.name)
                except BalizaError as error:
                    log.error("%s did not start: %s", part.name, error)
        return started

    def stop(self) -> None:
        """Stop all, the last started first, so that nobody loses a store that it still needs."""
        self.stopping.set()
        for part in reversed(self.parts):
            if part.running():
                part.stop()


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a child: the settings as they are now, and the shared folder of the metrics."""
    given = {ENV_PREFIX + entry.name.upper(): str(getattr(settings, entry.name)) for entry in fields(Settings)}
    metrics = settings.data_dir / "run" / "metrics"
    return {**os.environ, **given, "PROMETHEUS_MULTIPROC_DIR": str(metrics.resolve()), PARENT_VARIABLE: str(os.getpid())}


def check_ports(settings: Settings) -> None:
    """PortTaken when the public or the private port is in use, with what to do about it."""
    for name, host, port in (
        ("public", settings.public_host, settings.public_port),
        ("private", settings.private_host, settings.private_port),
    ):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                variable = f"BALIZA_{name.upper()}_PORT"
                raise PortTaken(
                    f"the {name} port {port} on {host} is taken ({error.strerror}). Stop what uses it, "
                    f"or choose another: {variable}={port + 10} baliza …"
                ) from None


def lock_data_dir(data_dir: Path) -> IO[str]:
    """Hold the folder for this process (until it ends). BalizaError naming the process that has it."""
    run = data_dir / "run"
    run.mkdir(parents=True, exist_ok=True)
    lock = (run / "supervisor.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        pid = lock.read().strip() or "unknown"
        lock.close()
        raise BalizaError(
            f"baliza runs already in {data_dir.resolve()} (process {pid}); stop that, or choose another BALIZA_DATA_DIR"
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
