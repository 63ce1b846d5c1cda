"""The embedded ClickHouse: the chDB engine as a server process that clickhouse-driver talks to.

`python -m baliza.embedded.clickhouse --data-dir DIR --port 0` serves until SIGTERM; the password comes from the environment
variable BALIZA_CLICKHOUSE_PASSWORD. `EmbeddedClickHouse` starts and stops such a process.
"""

import argparse
import ipaddress
import logging
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from baliza.errors import EngineError, PortTaken

__all__ = ["EmbeddedClickHouse", "EngineSettings", "main", "serve"]

PASSWORD_VARIABLE = "BALIZA_CLICKHOUSE_PASSWORD"  # noqa: S105
DATABASE = "baliza"

# The engine's own defaults are made for a server that has the machine for itself: caches of gigabytes, 90 % of the memory.
ENGINE_OPTIONS: Mapping[str, str] = {
    "mark_cache_size": str(64 << 20),
    "primary_index_cache_size": str(64 << 20),
    "index_mark_cache_size": str(16 << 20),
    "query_condition_cache_size": str(16 << 20),
    "compiled_expression_cache_size": str(16 << 20),
    "max_server_memory_usage_to_ram_ratio": "0.5",
}


@dataclass(frozen=True)
class EngineSettings:
    """How the engine is served. Port 0 takes a free one. The database `baliza` is made when it is missing."""

    data_dir: Path
    password: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 0
    user: str = "baliza"
    max_connections: int = 64


def serve(settings: EngineSettings, follow: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Prints `listening on HOST:PORT` when clients can come. Blocks; main thread only.

    `follow`: a file descriptor; also stop when it ends. The one who started the process holds its other end, so that the
    engine never outlives it. Raises EngineError when the directory is in use or cannot be opened, PortTaken for the port.
    """
    from baliza.embedded.clickhouse_server import DataLock, Server
    from baliza.embedded.engine import Engine, QueryError

    listener = _listen(settings)
    lock = DataLock(settings.data_dir)
    try:
        engine = Engine(settings.data_dir, ENGINE_OPTIONS, DATABASE)
    except QueryError as error:
        raise EngineError(f"The engine could not open {settings.data_dir}: {error}") from error
    server = Server(listener, engine, settings.user, settings.password, settings.max_connections)
    # After the engine, which sets handlers of its own.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(server.wake_fd, warn_on_full_buffer=False)
    if follow is not None:
        threading.Thread(target=_stop_at_end, args=(follow, server.stop), daemon=True).start()
    host, port = listener.getsockname()[:2]
    print(f"listening on {host}:{port}", flush=True)  # noqa: T201
    server.run()
    engine.close()
    lock.release()


def _stop_at_end(follow: int, stop: Callable[[], None]) -> None:
    while os.read(follow, 1):
        pass
    stop()


def _listen(settings: EngineSettings) -> socket.socket:
    try:
        loopback = ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise EngineError(
            f"The embedded engine listens on a loopback address only, such as 127.0.0.1, and not on {settings.host!r}; "
            "use a ClickHouse server to be reached over a network."
        )
    try:
        return socket.create_server((settings.host, settings.port), backlog=128)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise PortTaken(f"{where} cannot be listened on ({error.strerror}); choose another port.") from error


class EmbeddedClickHouse:
    """The engine as a child process. It ends with this process, however this process ends.

    `log_path` takes what the engine writes to its standard error; by default a file in the data directory.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        user: str = "baliza",
        password: str | None = None,
        max_connections: int = 64,
        log_path: Path | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.user = user
        self.password = password or secrets.token_urlsafe(24)
        self.port = port
        self._max_connections = max_connections
        self._log_path = log_path or data_dir / "engine.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id, while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def url(self, database: str = DATABASE) -> str:
        """What `clickhouse_driver.Client.from_url` takes."""
        return f"clickhouse://{quote(self.user, safe='')}:{quote(self.password, safe='')}@127.0.0.1:{self.port}/{database}"

    def start(self, timeout_s: float = 60) -> None:
        """Start the process and wait until it takes clients; EngineError has its last words when it does not.

        Started again, it takes the same port, so that clients find it.
        """
        if self.pid:
            raise EngineError(f"The embedded engine runs already, as process {self.pid}.")
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603
                self._command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, PASSWORD_VARIABLE: self.password},
                start_new_session=True,
            )
        try:
            self.port = self._read_port(time.monotonic() + timeout_s)
        except EngineError:
            self.kill()
            raise

    def _command(self) -> list[str]:
        options = {
            "--data-dir": self.data_dir,
            "--port": self.port,
            "--user": self.user,
            "--max-connections": self._max_connections,
        }
        given = [str(part) for pair in options.items() for part in pair]
        return [sys.executable, "-m", "baliza.embedded.clickhouse", *given, "--follow-stdin"]

    def _read_port(self, until: float) -> int:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
                raise EngineError(f"The embedded engine did not start in time; see {self._log_path}.")
            byte = os.read(process.stdout.fileno(), 1)
            if not byte:
                raise EngineError(f"The embedded engine did not start: {self._last_words()}")
            line += byte
        return int(line.rpartition(b":")[2])

    def _last_words(self) -> str:
        lines = self._log_path.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"it wrote nothing to {self._log_path}"

    def stop(self, timeout_s: float = 15) -> int:
        """Let running queries end, close the engine, wait; kill it when that takes too long. Gives the exit code."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return self._reap()

    def kill(self) -> int:
        """End the process at once, as a crash would. Gives the exit code."""
        if self._process is None:
            return 0
        self._process.kill()
        return self._reap()

    def _reap(self) -> int:
        process = self._process
        assert process is not None
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
        self._process = None
        return code


def _settings(arguments: list[str], environment: Mapping[str, str]) -> tuple[EngineSettings, bool]:
    parser = argparse.ArgumentParser(prog="python -m baliza.embedded.clickhouse")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--user", default="baliza")
    parser.add_argument("--max-connections", type=int, default=64)
    parser.add_argument("--follow-stdin", action="store_true", help="stop when standard input ends")
    given = parser.parse_args(arguments)
    password = environment.get(PASSWORD_VARIABLE, "")
    if not password:
        raise EngineError(f"{PASSWORD_VARIABLE} is not set; the embedded engine takes no clients without a password.")
    settings = EngineSettings(given.data_dir, password, given.host, given.port, given.user, given.max_connections)
    return settings, given.follow_stdin


def main(arguments: list[str] | None = None) -> int:
    """The command line of the engine's process; gives its exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings, follows = _settings(sys.argv[1:] if arguments is None else arguments, os.environ)
        serve(settings, sys.stdin.fileno() if follows else None)
    except (EngineError, PortTaken) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
