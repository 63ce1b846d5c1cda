"""The engine as a process: start, stop, crash, limits."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ServerException

from baliza.embedded.clickhouse import PASSWORD_VARIABLE, EmbeddedClickHouse, EngineSettings, main, serve
from baliza.errors import EngineError, PortTaken

TABLE = "SETTINGS non_replicated_deduplication_window = 1000"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedClickHouse]:
    """A process of the test's own, to be stopped and killed."""
    own = EmbeddedClickHouse(tmp_path / "data", max_connections=4)
    own.start()
    yield own
    own.kill()


@pytest.mark.clickhouse
def test_data_outlives_a_restart_on_the_same_port(server: EmbeddedClickHouse) -> None:
    with Client.from_url(server.url()) as client:
        client.execute("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
        client.execute("INSERT INTO t VALUES", [(1,)])
    before = server.url()
    assert server.stop() == 0
    assert server.pid is None
    server.start()
    assert server.url() == before
    with Client.from_url(before) as client:
        assert client.execute("SELECT a FROM t") == [(1,)]


@pytest.mark.clickhouse
def test_password_is_neither_in_the_arguments_nor_in_the_log(server: EmbeddedClickHouse) -> None:
    assert server.password not in " ".join(psutil.Process(server.pid).cmdline())
    assert server.password not in (server.data_dir / "engine.log").read_text()


@pytest.mark.clickhouse
def test_second_engine_on_the_same_data_says_who_has_it(server: EmbeddedClickHouse) -> None:
    second = EmbeddedClickHouse(server.data_dir)
    with pytest.raises(EngineError, match=f"in use by process {server.pid}"):
        second.start()
    assert second.pid is None


@pytest.mark.clickhouse
def test_taken_port_is_named(server: EmbeddedClickHouse, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=f"127.0.0.1:{server.port} cannot be listened on"):
        EmbeddedClickHouse(tmp_path / "other", port=server.port).start()


@pytest.mark.clickhouse
def test_stop_lets_a_running_query_end(server: EmbeddedClickHouse) -> None:
    client = Client.from_url(server.url())
    client.execute("SELECT 1")
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(client.execute("SELECT sleep(1.5)")))
    thread.start()
    time.sleep(0.5)
    assert server.stop() == 0
    thread.join()
    assert answers == [[(0,)]]
    client.disconnect()


@pytest.mark.clickhouse
def test_stop_does_not_wait_for_idle_clients(server: EmbeddedClickHouse) -> None:
    with Client.from_url(server.url()) as client:
        client.execute("SELECT 1")
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 3


@pytest.mark.clickhouse
def test_client_over_the_limit_is_told_why_and_room_comes_back(server: EmbeddedClickHouse) -> None:
    clients = [Client.from_url(server.url()) for _ in range(4)]
    for client in clients:
        client.execute("SELECT 1")
    with Client.from_url(server.url()) as fifth, pytest.raises(ServerException) as caught:
        fifth.execute("SELECT 1")
    assert caught.value.code == 202
    for client in clients:
        client.disconnect()
    until = time.monotonic() + 5
    while True:
        try:
            with Client.from_url(server.url()) as client:
                assert client.execute("SELECT 1") == [(1,)]
            return
        except ServerException:
            assert time.monotonic() < until
            time.sleep(0.02)


@pytest.mark.clickhouse
def test_clients_that_come_and_go_leave_no_threads_or_files(server: EmbeddedClickHouse) -> None:
    process = psutil.Process(server.pid)

    def visit() -> tuple[int, int]:
        for _ in range(20):
            with Client.from_url(server.url()) as client:
                client.execute("SELECT 1")
        time.sleep(0.3)
        return process.num_threads(), process.num_fds()

    visit()
    threads, files = visit()
    threads_later, files_later = visit()
    assert threads_later <= threads + 2
    assert files_later <= files + 2


@pytest.mark.clickhouse
def test_killed_engine_comes_back_with_whole_batches_and_repeats_add_nothing(server: EmbeddedClickHouse) -> None:
    with Client.from_url(server.url()) as client:
        client.execute(f"CREATE TABLE t (batch UInt32, n UInt32) ENGINE = MergeTree ORDER BY (batch, n) {TABLE}")
        client.execute(f"CREATE TABLE sums (batch UInt32, rows UInt64) ENGINE = SummingMergeTree ORDER BY batch {TABLE}")
        client.execute("CREATE MATERIALIZED VIEW v TO sums AS SELECT batch, count() AS rows FROM t GROUP BY batch")
    answered: list[int] = []
    for round_number in range(3):
        killer = threading.Timer(0.25 + 0.15 * round_number, server.kill)
        killer.start()
        insert_until_it_dies(server, answered)
        killer.join()
        server.start()
    with Client.from_url(server.url()) as client:
        sizes = dict(client.execute("SELECT batch, count() FROM t GROUP BY batch"))
        assert set(sizes.values()) == {500}, "a part of a batch was written"
        assert set(answered) <= set(sizes), "a batch that was answered is lost"
        last = max(answered) + 2
        for batch in range(last):
            insert_batch(client, batch)
        assert client.execute("SELECT count(), uniqExact(batch, n) FROM t") == [(500 * last, 500 * last)]
        assert client.execute("SELECT sum(rows) FROM sums") == [(500 * last,)]


def insert_until_it_dies(server: EmbeddedClickHouse, answered: list[int]) -> None:
    """One batch after the other, each repeated with its token as ingest does."""
    try:
        with Client.from_url(server.url()) as client:
            while True:
                batch = len(answered)
                insert_batch(client, batch)
                answered.append(batch)
    except (Error, EOFError, OSError):
        return


def insert_batch(client: Client, batch: int) -> None:
    settings = {"insert_deduplication_token": f"p1:{batch}", "deduplicate_blocks_in_dependent_materialized_views": 1}
    client.execute("INSERT INTO t VALUES", [(batch, n) for n in range(500)], settings=settings)


@pytest.mark.clickhouse
def test_engine_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys; from baliza.embedded.clickhouse import EmbeddedClickHouse as E;"
        "e = E(pathlib.Path(sys.argv[1])); e.start(); print(e.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "data")], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL
    orphan = int(done.stdout)
    until = time.monotonic() + 10
    while psutil.pid_exists(orphan) and psutil.Process(orphan).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until, "the engine outlived its parent"
        time.sleep(0.05)


@pytest.mark.clickhouse
def test_idle_engine_stays_small(server: EmbeddedClickHouse) -> None:
    with Client.from_url(server.url()) as client:
        client.execute("SELECT sum(number) FROM numbers(1000000)")
    anonymous = sum(region.anonymous for region in psutil.Process(server.pid).memory_maps() if hasattr(region, "anonymous"))
    assert anonymous < 200 << 20


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "localhost"])
def test_only_loopback_addresses_are_listened_on(tmp_path: Path, host: str) -> None:
    with pytest.raises(EngineError, match="loopback address only"):
        serve(EngineSettings(tmp_path, "secret", host=host))
    assert list(tmp_path.iterdir()) == []


def test_taken_port_is_refused_before_the_data_is_touched(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(PortTaken, match="choose another port"):
        serve(EngineSettings(tmp_path, "secret", port=taken.getsockname()[1]))
    assert list(tmp_path.iterdir()) == []


def test_missing_password_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    assert main(["--data-dir", str(tmp_path)]) == 1
    assert PASSWORD_VARIABLE in capsys.readouterr().err


def test_settings_do_not_show_the_password(tmp_path: Path) -> None:
    assert "secret" not in repr(EngineSettings(tmp_path, "secret"))


def test_url_escapes_what_a_url_cannot_hold(tmp_path: Path) -> None:
    url = EmbeddedClickHouse(tmp_path, port=9000, user="a b", password="p@:/").url("db")
    assert url == "clickhouse://a%20b:p%40%3A%2F@127.0.0.1:9000/db"


def test_stopping_what_never_ran_is_fine(tmp_path: Path) -> None:
    server = EmbeddedClickHouse(tmp_path)
    assert (server.stop(), server.kill(), server.pid) == (0, 0, None)
    assert list(tmp_path.iterdir()) == []
