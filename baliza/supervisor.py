"""Everything on one box under one parent: start in order, start again what dies, stop in reverse."""

import errno
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import IO, Protocol

from baliza.embedded.clickhouse import EmbeddedClickHouse
from baliza.embedded.valkey import EmbeddedValkey, end_left_over, steady_port
from baliza.errors import BadSetting, BalizaError, EngineError, PortTaken
from baliza.files import hold, hold_together, holder, wait_until_free
from baliza.settings import ENV_PREFIX, PARENT_VARIABLE, Settings

__all__ = [
    "Child",
    "Part",
    "Supervisor",
    "check_ports",
    "engines",
    "environment",
    "lock_data_dir",
    "metrics_folder",
    "supervisor_lock",
    "take_over",
]

log = logging.getLogger("baliza.supervisor")

RESTART_MOST_S = 10.0
STEADY_S = 30.0  # who ran this long did not die of how it was started
STOP_WITHIN_S = 25.0
# What a killed supervisor leaves behind notices within a second, then answers what it was asked.
LEFT_OVER_ENDS_WITHIN_S = STOP_WITHIN_S + 5


class Part(Protocol):
    """Something that runs beside us."""

    name: str

    def start(self) -> None:
        """Start it; for an engine also wait until it answers. Raises BalizaError."""

    def running(self) -> bool: ...

    def stop(self) -> None:
        """End it in order, and wait for it. Nothing happens when it does not run."""


@dataclass
class Child:
    """A `baliza serve …` process. Its output goes to <data_dir>/logs/<name>.log."""

    name: str
    settings: Settings
    extra_env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log_file(self) -> Path:
        return self.settings.data_dir / "logs" / f"{self.name}.log"

    def start(self) -> None:
        if self.process is not None:
            self._end_group()
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        metrics_folder(self.settings.data_dir).mkdir(parents=True, exist_ok=True)
        lock = hold_together(services_lock(self.settings.data_dir))
        if lock is None:
            raise EngineError(f"{self.name}: another supervisor takes over {self.settings.data_dir.resolve()}")
        with lock, self.log_file.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "baliza.cli", "serve", self.name],
                stdout=output,
                stderr=output,
                env=environment(self.settings) | dict(self.extra_env),
                start_new_session=True,
                pass_fds=[lock.fileno()],
            )

    def reload(self) -> None:
        """Run the code that is on the disk now: the public port replaces its workers without a pause, others start again."""
        if self.process is None or not self.running():
            return
        if self.name == "public":
            self.process.send_signal(signal.SIGHUP)
        else:
            self.stop()
            self.start()

    def _end_group(self) -> None:
        # Workers of a killed gunicorn still have its port.
        assert self.process is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log_file.read_text(errors="replace").strip().splitlines() if self.log_file.exists() else []
        return lines[-1] if lines else f"it wrote nothing to {self.log_file}"

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop in time; killed", self.name)
            self._end_group()
            self.process.wait()


@dataclass
class ValkeyPart:
    """The embedded live store as a part."""

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
    """The embedded history as a part."""

    server: EmbeddedClickHouse
    name: str = "clickhouse"

    def start(self) -> None:
        self.server.kill()  # closes the pipes of one that died
        self.server.start()

    def running(self) -> bool:
        return self.server.pid is not None

    def stop(self) -> None:
        self.server.stop()


def engines(settings: Settings) -> tuple[list[Part], Settings]:
    """The embedded engines that the settings leave to us, and settings that point at them.

    Started again, an engine keeps its port, so that its clients find it.
    """
    parts: list[Part] = []
    redis_url, clickhouse_url = settings.redis_url, settings.clickhouse_url
    data_dir = settings.data_dir.resolve()
    if not redis_url:
        limit = {"maxmemory": f"{settings.redis_max_memory_mb}mb"}
        valkey = EmbeddedValkey(data_dir / "valkey", port=steady_port(), options=limit)
        parts.append(ValkeyPart(valkey))
        redis_url = valkey.url
    if not clickhouse_url:
        engine = EmbeddedClickHouse(data_dir / "clickhouse", port=steady_port())
        parts.append(ClickHousePart(engine))
        clickhouse_url = engine.url()
    return parts, replace(settings, redis_url=redis_url, clickhouse_url=clickhouse_url)


def take_over(data_dir: Path, tell: Callable[[str], None]) -> None:
    """Wait for what a killed supervisor left behind: services end by themselves, and so does the history; Valkey is ended.

    Call with the data folder locked. Raises BalizaError when something stays.
    """
    for what, lock in (("services", services_lock(data_dir)), ("history", data_dir / "clickhouse" / "engine.lock")):
        if wait_until_free(lock, 0):
            continue
        tell(f"a former run was killed; waiting for its {what} to end")
        if not wait_until_free(lock, LEFT_OVER_ENDS_WITHIN_S):
            raise BalizaError(f"the {what} of a former run in {data_dir.resolve()} do not end; `lsof {lock}` shows them")
    if end_left_over(data_dir / "valkey"):
        tell("a former run was killed; its live store has been stopped")


@dataclass
class Supervisor:
    """Keeps parts running. start() in the given order, stop() in reverse; watch() starts again what died.

    `tell` hears, in sentences, of every death and every start that failed.
    """

    parts: Sequence[Part]
    tell: Callable[[str], None] = log.warning
    stopping: threading.Event = field(default_factory=threading.Event)
    _started_at: dict[str, float] = field(default_factory=dict)
    _young_deaths: dict[str, int] = field(default_factory=dict)
    _retry_at: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        """Start all. If one does not start, those that did are stopped and its error is raised."""
        try:
            for part in self.parts:
                part.start()
        except BaseException:
            self.stop()
            raise

    def watch(self, now: float) -> list[str]:
        """Start again what has died, each more slowly every time it dies young. Answers the names of what was started."""
        dead = [] if self.stopping.is_set() else [part for part in self.parts if not part.running()]
        for part in dead:
            if part.name not in self._retry_at:
                self._plan_restart(part.name, now)
        due = [part for part in dead if now >= self._retry_at[part.name]]
        return [part.name for part in due if self._restart(part, now)]

    def _plan_restart(self, name: str, now: float) -> None:
        steady = now - self._started_at.get(name, -STEADY_S) >= STEADY_S
        self._young_deaths[name] = 0 if steady else self._young_deaths.get(name, 0) + 1
        wait_s = min(RESTART_MOST_S, 2.0 ** self._young_deaths[name])
        self._retry_at[name] = now + wait_s
        self.tell(f"{name} has ended; starting it again in {wait_s:.0f} s")

    def _restart(self, part: Part, now: float) -> bool:
        del self._retry_at[part.name]
        self._started_at[part.name] = now
        try:
            part.start()
        except (BalizaError, OSError) as error:
            self.tell(f"{part.name} did not start: {error}")
            return False
        return True

    def reload(self) -> None:
        """Let every service run the code that is on the disk now; the stores go on. Blocks while services stop."""
        for part in self.parts:
            if isinstance(part, Child):
                try:
                    part.reload()
                except (BalizaError, OSError) as error:
                    self.tell(f"{part.name} did not start: {error}")

    def stop(self) -> None:
        """Stop all, the last started first, so that nobody loses a store that it still needs."""
        self.stopping.set()
        for part in reversed(self.parts):
            part.stop()


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a child: the settings as they are now, and the shared folder of the metrics."""
    given = {ENV_PREFIX + entry.name.upper(): str(getattr(settings, entry.name)) for entry in fields(Settings)}
    metrics = metrics_folder(settings.data_dir).resolve()
    return {**os.environ, **given, "PROMETHEUS_MULTIPROC_DIR": str(metrics), PARENT_VARIABLE: str(os.getpid())}


def metrics_folder(data_dir: Path) -> Path:
    """Where all processes of a run add up their metrics."""
    return data_dir / "run" / "metrics"


def check_ports(settings: Settings) -> None:
    """PortTaken when the public or the private port is in use, BadSetting when it cannot be used at all."""
    if settings.public_port == settings.private_port:
        raise BadSetting(f"BALIZA_PUBLIC_PORT and BALIZA_PRIVATE_PORT: expected two ports, got {settings.public_port} twice")
    for name, host, port in (
        ("public", settings.public_host, settings.public_port),
        ("private", settings.private_host, settings.private_port),
    ):
        variable = f"BALIZA_{name.upper()}_PORT"
        try:
            socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise BadSetting(f"{variable}: cannot listen on {host}, port {port}: {error.strerror}") from None
            other = port + 10 if port < 65_000 else port - 10
            raise PortTaken(
                f"the {name} port {port} on {host} is taken. Stop what uses it (`lsof -i :{port}` shows it), "
                f"or choose another: {variable}={other} baliza …"
            ) from None


def services_lock(data_dir: Path) -> Path:
    """Held by every service, and by nobody when all have ended."""
    file = data_dir / "run" / "services.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def supervisor_lock(data_dir: Path) -> Path:
    """Held by the supervisor of the folder, whose process id is in it."""
    return data_dir / "run" / "supervisor.lock"


def lock_data_dir(data_dir: Path) -> IO[str]:
    """Hold the folder for this process (until it ends). BalizaError naming the process that has it."""
    file = supervisor_lock(data_dir)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = hold(file, str(os.getpid()))
    except OSError as error:
        raise BadSetting(
            f"BALIZA_DATA_DIR: expected a folder to write to, got {data_dir.resolve()}: {error.strerror}"
        ) from None
    if lock is None:
        raise BalizaError(
            f"baliza runs already in {data_dir.resolve()} (process {holder(file)}); "
            "stop that, or choose another BALIZA_DATA_DIR"
        )
    return lock
