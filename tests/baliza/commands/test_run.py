"""What `baliza up` and `baliza demo` do around the processes; tests/baliza/test_up.py runs the whole."""

import http.server
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from baliza import sites, stores
from baliza.commands import run
from baliza.commands.live import LiveLine
from baliza.embedded.valkey import free_port
from baliza.errors import BalizaError, EngineError
from baliza.settings import Settings
from baliza.stores import RedisClient
from baliza.supervisor import Child


class Fake(Child):
    """A child that is said to run, or to have ended."""

    def __init__(self, settings: Settings, alive: bool) -> None:
        super().__init__("console", settings)
        self.alive = alive

    def running(self) -> bool:
        return self.alive


class Port(http.server.BaseHTTPRequestHandler):
    """Alive; ready only when the class says so."""

    ready = False

    def do_GET(self) -> None:
        self.send_response(200 if self.ready or self.path == "/health" else 503)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Quiet."""


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Settings]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    port = server.server_address[1]
    yield Settings(data_dir=tmp_path, public_port=port, private_port=port, public_url="https://unreachable.example")
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.network
def test_waits_for_both_ports_on_this_box_whatever_the_public_url(
    listening: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Port, "ready", True)
    run._wait_until_up(listening, [Fake(listening, alive=True)], threading.Event())


@pytest.mark.network
def test_a_backlog_that_keeps_a_port_from_being_ready_stops_nothing(
    listening: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "START_WITHIN_S", 0.3)
    run._wait_until_up(listening, [Fake(listening, alive=True)], threading.Event())


@pytest.mark.network
def test_a_port_where_nobody_listens_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "START_WITHIN_S", 0.3)
    settings = Settings(data_dir=tmp_path, public_port=free_port(), private_port=free_port())
    with pytest.raises(
        EngineError, match=rf"http://127.0.0.1:{settings.public_port} does not answer within .*logs says why"
    ):
        run._wait_until_up(settings, [], threading.Event())


@pytest.mark.network
def test_a_service_that_ends_is_told_with_its_last_words(listening: Settings) -> None:
    child = Fake(listening, alive=False)
    with pytest.raises(EngineError, match=r"console did not start: it wrote nothing to .*console.log"):
        run._wait_until_up(listening, [child], threading.Event())
    child.log_file.parent.mkdir()
    child.log_file.write_text("a warning\nbaliza: the disk is full\n")
    with pytest.raises(EngineError, match="console did not start: baliza: the disk is full"):
        run._wait_until_up(listening, [child], threading.Event())


def test_ctrl_c_ends_the_waiting(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    run._wait_until_up(Settings(data_dir=tmp_path), [Fake(Settings(), alive=False)], stop)


@pytest.mark.parametrize(("in_path", "command"), [(None, ".venv/bin/baliza"), ("/usr/bin/baliza", "baliza")])
def test_commands_to_copy_are_given_as_they_can_be_typed(
    in_path: str | None, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: in_path)
    monkeypatch.setattr("sys.argv", [".venv/bin/baliza", "up"])
    assert f"  {command} site add SITE --origin https://shop.example\n" in run._announce_up(Settings())


def test_people_are_told_addresses_that_they_can_open() -> None:
    settings = Settings(public_host="0.0.0.0", private_host="0.0.0.0", public_url="https://events.shop.example")
    for said in (run._announce_up(settings), run._announce_demo(settings)):
        assert "http://127.0.0.1:8001/" in said
        assert "https://events.shop.example/" in said
        assert "0.0.0.0" not in said
    assert "sk_demo" not in run._announce_up(settings)


@pytest.mark.redis
@pytest.mark.clickhouse
def test_prepares_both_stores_and_tells_where_they_are(settings: Settings, redis_client: RedisClient) -> None:
    redis_client.flushall()
    out = io.StringIO()
    run._prepare(settings, LiveLine(out))
    run._prepare(settings, LiveLine(out))
    assert out.getvalue().count("applying 0001_create_events") == 1
    assert redis_client.hget("baliza:installed", "partitions") == b"8"
    assert stores.redis_url(Settings(data_dir=settings.data_dir)) == settings.redis_url
    assert stores.clickhouse_url(Settings(data_dir=settings.data_dir)) == settings.clickhouse_url


@pytest.mark.redis
def test_the_demo_has_the_keys_that_everybody_knows_at_every_start(settings: Settings, redis_client: RedisClient) -> None:
    run._register_demo(settings)
    run._register_demo(Settings(redis_url=settings.redis_url, public_port=9000))
    registry = sites.load_sites(redis_client)
    site = registry.by_key["pk_demo"]
    assert registry.with_secret("sk_demo") == site
    assert site.allows("http://localhost:9000")
    assert not site.allows("http://localhost:8000")
    user = sites.check_user(redis_client, "demo", "demo-demo")
    assert user is not None
    assert user.sites == ("demo",)
    assert sites.site_of_token(redis_client, "tok_demo") == "demo"


def test_a_reload_of_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALIZA_DATA_DIR", str(tmp_path))
    with pytest.raises(BalizaError, match="nothing runs in"):
        run.reload.callback()  # type: ignore[misc]


def test_metrics_of_an_earlier_run_are_forgotten(tmp_path: Path) -> None:
    (tmp_path / "run/metrics").mkdir(parents=True)
    (tmp_path / "run/metrics/counter_1.db").touch()
    run._clear_metrics(Settings(data_dir=tmp_path))
    assert not (tmp_path / "run/metrics/counter_1.db").exists()
