import logging
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from baliza.servers import OTHER_FILES, GunicornServer, allow_connections, bind_address
from tests.support.product import ROOT


@pytest.fixture
def _limits_given_back() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def set_limit(soft: int) -> int:
    """Lower the soft limit; the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return hard


@pytest.mark.usefixtures("_limits_given_back")
def test_makes_room_for_connections() -> None:
    set_limit(1024)
    assert allow_connections(2000) == 2000 + OTHER_FILES
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 2000 + OTHER_FILES
    assert allow_connections(100) == 2000 + OTHER_FILES, "never lowers it"


@pytest.mark.usefixtures("_limits_given_back")
def test_says_when_the_system_allows_less(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    hard = set_limit(1024)
    if hard == resource.RLIM_INFINITY:
        pytest.skip("no hard limit here")
    assert allow_connections(hard) == hard
    assert f"max_connections {hard} needs {hard + OTHER_FILES} open files, but the system allows {hard}" in caplog.text


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80"), ("shop.test", "shop.test:80")]
)
def test_addresses_are_written_as_the_server_reads_them(host: str, expected: str) -> None:
    assert bind_address(host, 80) == expected


def test_application_is_made_in_the_worker_and_once() -> None:
    made: list[object] = []
    server = GunicornServer(lambda: made.append(object()) or made[-1], {"workers": 3, "timeout": 7})
    assert made == [], "before the fork there is none"
    assert server.wsgi() is server.wsgi() is made[0]
    assert (server.cfg.workers, server.cfg.timeout, server.cfg.graceful_timeout) == (3, 7, 20)


def test_metrics_of_a_dead_worker_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child_exit = GunicornServer(object, {}).cfg.child_exit
    alive, dead = tmp_path / "gauge_livesum_1.db", tmp_path / "gauge_livesum_77.db"
    for file in (alive, dead):
        file.touch()
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    child_exit(None, SimpleNamespace(pid=77))
    assert dead.exists()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    child_exit(None, SimpleNamespace(pid=77))
    assert alive.exists()
    assert not dead.exists()


def test_what_a_worker_serves_is_imported_as_it_is_on_the_disk_now(tmp_path: Path) -> None:
    """In a process of its own: it forgets all that was imported."""
    code = f"""
import sys
from pathlib import Path
from baliza.servers import fresh
made = Path({str(tmp_path)!r}) / "demo.py"
made.write_text("def make(): return 'before'")
print(fresh("demo:make"))
made.write_text("def make(): return 'after that'")
print(fresh("demo:make"))
"""
    env = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PYTHONSAFEPATH": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["before", "after that", ""]


def test_the_parent_of_workers_has_no_service_and_no_metrics() -> None:
    """What it had, its workers would have too, and a reload could not change it."""
    code = "import sys, baliza.commands.serve, baliza.parent, baliza.public; print(*sys.modules)"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "baliza.servers" in loaded
    assert {name for name in loaded if name.split(".")[0] in ("tracker", "personalizer", "demo", "console")} == set()
    assert "baliza.metrics" not in loaded
