"""One service by itself, and its health."""

import http.server
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from baliza.commands.serve import SERVICES, health, serve, share_metrics
from baliza.embedded.valkey import free_port
from baliza.errors import BadSetting
from baliza.settings import Settings


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()
        self.wfile.write(b"said " + self.path.encode())

    def log_message(self, *_args: object) -> None:
        """Quiet."""


@pytest.fixture
def neighbour() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.network
def test_health_is_the_exit_code(neighbour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    well = CliRunner().invoke(health, [f"{neighbour}/health"])
    assert (well.exit_code, well.output) == (0, "said /health\n")
    ill = CliRunner().invoke(health, [f"{neighbour}/ready"])
    assert ill.exit_code == 1
    assert "503" in ill.stderr
    assert "said /ready" in ill.stderr
    nobody = CliRunner().invoke(health, [f"http://127.0.0.1:{free_port()}/health"])
    assert nobody.exit_code == 1
    assert "refused" in nobody.stderr


def test_health_asks_by_http_only() -> None:
    wrong = CliRunner().invoke(health, ["file:///etc/passwd"])
    assert wrong.exit_code == 2
    assert "expected an http URL" in wrong.stderr


def test_help_names_every_service_for_people() -> None:
    assert serve.help is not None
    for name in SERVICES.keys() - {"shoppers"}:
        assert name in serve.help


def test_a_service_alone_gets_an_empty_folder_for_its_metrics(tmp_path: Path) -> None:
    settings, env = Settings(data_dir=tmp_path), dict[str, str]()
    finished = subprocess.Popen(["true"])
    finished.wait()
    old = tmp_path / f"run/metrics-tracker-{finished.pid}"
    others = tmp_path / f"run/metrics-tracker-{os.getppid()}"
    for folder in (old, others):
        folder.mkdir(parents=True)
    share_metrics(settings, "tracker", env)
    mine = tmp_path / f"run/metrics-tracker-{os.getpid()}"
    assert env == {"PROMETHEUS_MULTIPROC_DIR": str(mine.resolve())}
    assert mine.is_dir()
    assert others.is_dir()
    assert not old.exists()
    (mine / "counter_1.db").touch()
    share_metrics(settings, "tracker", dict[str, str]())
    assert list(mine.iterdir()) == []


def test_a_folder_that_is_given_for_metrics_is_kept(tmp_path: Path) -> None:
    env = {"PROMETHEUS_MULTIPROC_DIR": "/run/metrics"}
    share_metrics(Settings(data_dir=tmp_path), "tracker", env)
    assert env == {"PROMETHEUS_MULTIPROC_DIR": "/run/metrics"}
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(BadSetting, match="or say another folder for the metrics in PROMETHEUS_MULTIPROC_DIR"):
        share_metrics(Settings(data_dir=tmp_path), "tracker", {})


@pytest.mark.redis
def test_a_service_alone_answers_for_its_health_and_adds_up_its_metrics(settings: Settings) -> None:
    port = free_port()
    env = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    env |= {
        "BALIZA_DATA_DIR": str(settings.data_dir),
        "BALIZA_REDIS_URL": settings.redis_url,
        "BALIZA_HEALTH_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", "baliza.cli", "serve", "retargeting"], env=env)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 15
    while True:
        try:
            with opener.open(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                shown = answer.read().decode()
            break
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert "baliza_ingest_lag_seconds" in shown
    assert "python_info" not in shown  # what one process says of itself alone
    assert (settings.data_dir / f"run/metrics-retargeting-{process.pid}").is_dir()
    process.terminate()
    assert process.wait(15) == 0
