"""The embedded Valkey as real processes: it keeps what it answered, and nobody else gets at it."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from baliza.embedded.valkey import STEADY_PORTS, EmbeddedValkey, end_left_over, free_port, steady_port
from baliza.errors import EngineError

pytestmark = pytest.mark.redis


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    made = EmbeddedValkey(tmp_path / "valkey")
    yield made
    made.kill()


def put(server: EmbeddedValkey, name: str) -> None:
    with Redis.from_url(server.url) as client:
        client.set(name, "kept")


def get(server: EmbeddedValkey, name: str) -> object:
    with Redis.from_url(server.url) as client:
        return client.get(name)


def test_keeps_port_and_data_when_it_is_killed(server: EmbeddedValkey) -> None:
    server.start()
    url = server.url
    put(server, "a")
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    server.start()
    assert server.url == url
    assert get(server, "a") == b"kept"


def test_keeps_data_when_it_is_stopped_and_another_takes_the_folder(server: EmbeddedValkey, tmp_path: Path) -> None:
    server.start()
    put(server, "a")
    server.stop()
    other = EmbeddedValkey(tmp_path / "valkey")
    other.start()
    assert get(other, "a") == b"kept"
    other.stop()


def test_its_password_is_seen_by_nobody(server: EmbeddedValkey, tmp_path: Path) -> None:
    (tmp_path / "valkey").mkdir()
    (tmp_path / "valkey/valkey.conf").touch(mode=0o644)
    server.start()
    assert server.process is not None
    shown = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(server.process.pid)], capture_output=True, text=True, check=True
    ).stdout
    assert "valkey" in shown
    assert server.password not in shown
    assert server.password not in repr(server)
    for file in (tmp_path / "valkey").rglob("*"):
        if file.is_file() and server.password.encode() in file.read_bytes():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    with Redis.from_url(f"redis://127.0.0.1:{server.port}") as stranger, pytest.raises(AuthenticationError):
        stranger.ping()


def test_two_do_not_work_in_one_folder(server: EmbeddedValkey, tmp_path: Path) -> None:
    server.start()
    assert server.process is not None
    with pytest.raises(EngineError, match=rf"another Valkey \(process {server.process.pid}\) works in "):
        EmbeddedValkey(tmp_path / "valkey").start()
    put(server, "a")


def test_a_start_that_fails_tells_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"stopped at its start; the end of its log:\n(.|\n)*no-such-option"):
        EmbeddedValkey(tmp_path, options={"no-such-option": "1"}).start()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EngineError, match=r"(?i)address already in use"):
            EmbeddedValkey(tmp_path, port=port).start()


def test_takes_a_folder_with_odd_characters(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / 'a "b" \\ ñ')
    server.start()
    put(server, "a")
    server.stop()
    assert (tmp_path / 'a "b" \\ ñ' / "appendonlydir").is_dir()


def test_one_that_was_left_behind_is_ended_and_its_data_found(server: EmbeddedValkey, tmp_path: Path) -> None:
    folder = tmp_path / "valkey"
    code = (
        "import sys\nfrom pathlib import Path\nfrom redis import Redis\nfrom baliza.embedded.valkey import EmbeddedValkey\n"
        "server = EmbeddedValkey(Path(sys.argv[1]))\nserver.start()\n"
        "Redis.from_url(server.url).set('a', 'kept')\nprint(server.process.pid, flush=True)\nimport os; os._exit(1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True, timeout=20, check=False
    )
    os.kill(int(done.stdout), 0)
    assert end_left_over(folder)
    assert not end_left_over(folder)
    server.start()
    assert get(server, "a") == b"kept"


def test_one_that_was_left_behind_and_hangs_is_killed(server: EmbeddedValkey, tmp_path: Path) -> None:
    server.start()
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    assert end_left_over(tmp_path / "valkey", timeout_s=0.5)
    assert server.process.wait(5) == -signal.SIGKILL


def test_a_folder_that_was_never_used_has_nothing_left_behind(tmp_path: Path) -> None:
    assert not end_left_over(tmp_path)


def test_ports_are_free_and_a_steady_one_is_no_outgoing_one() -> None:
    for port in (free_port(), steady_port()):
        with socket.create_server(("127.0.0.1", port)):
            pass
    assert steady_port() in STEADY_PORTS
    assert max(STEADY_PORTS) < 32_768
