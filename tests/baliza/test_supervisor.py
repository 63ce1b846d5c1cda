"""The supervisor with real child processes and real engines."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

import pytest
from clickhouse_driver import Client
from redis import Redis

from baliza import supervisor as module
from baliza.embedded.clickhouse import EmbeddedClickHouse
from baliza.embedded.valkey import EmbeddedValkey, free_port
from baliza.errors import BadSetting, BalizaError, EngineError, PortTaken
from baliza.files import hold_together
from baliza.settings import Settings, load_settings
from baliza.supervisor import (
    Child,
    ClickHousePart,
    Part,
    Supervisor,
    ValkeyPart,
    check_ports,
    engines,
    environment,
    lock_data_dir,
    services_lock,
    take_over,
)


@dataclass
class Sleeper:
    """A part of the test's own: a real process that sleeps, or does what `code` says."""

    name: str
    code: str = "import time; time.sleep(60)"
    error: Exception | None = None
    process: subprocess.Popen[bytes] | None = None
    history: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.history.append(f"start {self.name}")
        if self.error:
            raise self.error
        self.process = subprocess.Popen([sys.executable, "-c", self.code])

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        self.history.append(f"stop {self.name}")
        if self.process:
            self.process.kill()
            self.process.wait()

    def die(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


def wait_for(condition: Callable[[], object], timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_starts_in_order_and_stops_in_reverse() -> None:
    history: list[str] = []
    supervisor = Supervisor([Sleeper(name, history=history) for name in "abc"])
    supervisor.start()
    assert all(part.running() for part in supervisor.parts)
    supervisor.stop()
    assert history == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]
    assert not any(part.running() for part in supervisor.parts)


@pytest.mark.parametrize("error", [EngineError("no"), OSError(11, "no more processes")], ids=["ours", "the system's"])
def test_one_that_does_not_start_stops_the_others_and_tells_why(error: Exception) -> None:
    first, second, third = Sleeper("a"), Sleeper("b", error=error), Sleeper("c")
    with pytest.raises(type(error), match="no"):
        Supervisor([first, second, third]).start()
    assert not first.running()
    assert first.process is not None
    assert third.process is None


def test_starts_again_what_was_killed_after_a_second() -> None:
    told: list[str] = []
    part, other = Sleeper("a"), Sleeper("b")
    supervisor = Supervisor([part, other], told.append)
    supervisor.start()
    assert supervisor.watch(100.0) == []
    part.die()
    assert supervisor.watch(100.0) == []
    assert supervisor.watch(100.9) == []
    assert supervisor.watch(101.0) == ["a"]
    assert part.running()
    assert told == ["a has ended; starting it again in 1 s"]
    assert other.history == ["start b"]
    supervisor.stop()


def test_who_dies_young_again_and_again_is_started_more_and_more_slowly() -> None:
    told: list[str] = []
    part = Sleeper("a", code="")
    supervisor = Supervisor([part], told.append)
    supervisor.start()
    starts = []
    for second in range(60):
        wait_for(lambda: not part.running())
        if supervisor.watch(float(second)):
            starts.append(second)
    assert starts == [1, 4, 9, 18, 29, 40, 51]
    assert [line.rpartition(" in ")[2] for line in told[:6]] == ["1 s", "2 s", "4 s", "8 s", "10 s", "10 s"]


def test_who_ran_long_is_started_soon_again() -> None:
    part = Sleeper("a")
    supervisor = Supervisor([part], lambda _text: None)
    supervisor.start()
    for died_at in (0.0, 5.0, 100.0):
        part.die()
        supervisor.watch(died_at)
        restarted = next(after for after in (1, 2, 4) if supervisor.watch(died_at + after))
        assert restarted == (2 if died_at == 5.0 else 1)
    supervisor.stop()


def test_a_start_that_fails_is_told_and_tried_again() -> None:
    told: list[str] = []
    part = Sleeper("a")
    supervisor = Supervisor([part], told.append)
    supervisor.start()
    part.die()
    part.error = EngineError("the disk is full")
    assert supervisor.watch(0.0) == supervisor.watch(1.0) == []
    assert told[-1] == "a did not start: the disk is full"
    part.error = None
    assert supervisor.watch(1.0) == []
    assert supervisor.watch(3.0) == ["a"]
    supervisor.stop()


def test_nothing_is_started_again_while_stopping() -> None:
    part = Sleeper("a")
    supervisor = Supervisor([part])
    supervisor.start()
    supervisor.stop()
    assert supervisor.watch(0.0) == supervisor.watch(99.0) == []
    assert part.history == ["start a", "stop a"]


@pytest.mark.redis
def test_a_service_that_is_killed_comes_back_and_stops_in_order(settings: Settings, valkey_url: str) -> None:
    port = free_port()
    child = Child("retargeting", settings, {"BALIZA_HEALTH_PORT": str(port)})
    supervisor = Supervisor([child], lambda _text: None)
    supervisor.start()
    assert child.process is not None
    first = child.process.pid
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: not child.running())
    supervisor.watch(0.0)
    assert supervisor.watch(1.0) == ["retargeting"]
    assert child.process.pid != first
    wait_for(lambda: listens(port))
    supervisor.stop()
    assert child.process.returncode == 0
    # Carts that other tests left in this store may have come due meanwhile.
    said = [line for line in child.log_file.read_text().splitlines() if "carts abandoned" not in line]
    assert said == []


def test_a_service_that_cannot_start_leaves_its_last_words(tmp_path: Path) -> None:
    child = Child("retargeting", Settings(data_dir=tmp_path), {"BALIZA_PARTITIONS": "none"})
    child.start()
    wait_for(lambda: not child.running())
    assert child.process is not None
    assert child.process.returncode == 2
    assert child.last_words() == "baliza: BALIZA_PARTITIONS: expected a whole number, got 'none'"
    child.stop()


def test_a_service_that_does_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_WITHIN_S", 0.3)
    code = "import signal,time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    child = Child("stubborn", Settings(data_dir=tmp_path), process=process)
    child.stop()
    assert process.returncode == -signal.SIGKILL
    process.stdout.close()


@pytest.mark.redis
def test_a_killed_live_store_comes_back_at_its_port_with_its_data(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    part = ValkeyPart(server)
    part.start()
    url = server.url
    with Redis.from_url(url) as client:
        client.set("a", "kept")
    killed_and_back(part, server.process.pid if server.process else 0)
    assert server.url == url
    with Redis.from_url(url) as client:
        assert client.get("a") == b"kept"
    part.stop()
    assert not part.running()


@pytest.mark.clickhouse
def test_a_killed_history_comes_back_at_its_port_with_its_data(tmp_path: Path) -> None:
    server = EmbeddedClickHouse(tmp_path)
    part = ClickHousePart(server)
    part.start()
    url = server.url()
    client = Client.from_url(url)
    client.execute("CREATE TABLE kept (n UInt8) ENGINE = MergeTree ORDER BY n")
    client.execute("INSERT INTO kept VALUES", [(7,)])
    client.disconnect()
    killed_and_back(part, server.pid or 0)
    assert server.url() == url
    assert client.execute("SELECT n FROM kept") == [(7,)]
    client.disconnect()
    part.stop()
    assert not part.running()


def killed_and_back(part: Part, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not part.running())
    supervisor = Supervisor([part], lambda _text: None)
    supervisor.watch(0.0)
    assert supervisor.watch(1.0) == [part.name]


def test_engines_are_those_that_no_url_stands_for(tmp_path: Path) -> None:
    parts, pointed = engines(Settings(data_dir=tmp_path, public_port=9000))
    assert [part.name for part in parts] == ["valkey", "clickhouse"]
    assert pointed.redis_url.startswith("redis://:")
    assert pointed.clickhouse_url.startswith("clickhouse://baliza:")
    assert pointed.public_port == 9000
    given = Settings(data_dir=tmp_path, redis_url="redis://a", clickhouse_url="clickhouse://b/c")
    assert engines(given) == ([], given)


@pytest.mark.redis
def test_the_embedded_live_store_keeps_to_its_limit(tmp_path: Path) -> None:
    (part, _), pointed = engines(Settings(data_dir=tmp_path, redis_max_memory_mb=64))
    part.start()
    with Redis.from_url(pointed.redis_url) as client:
        limits = {"maxmemory": str(64 << 20), "maxmemory-policy": "noeviction"}
        assert client.config_get("maxmemory*").items() >= limits.items()
    part.stop()


def test_a_child_is_given_the_settings_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALIZA_PUBLIC_PORT", "1")
    given = Settings(data_dir=tmp_path, public_port=9000, secure_cookies=False, redis_timeout_s=0.5)
    env = environment(given)
    assert load_settings(env, Path("/nonexistent")) == given
    assert env["BALIZA_PARENT_PID"] == str(os.getpid())
    assert env["PROMETHEUS_MULTIPROC_DIR"] == str(tmp_path.resolve() / "run/metrics")
    assert len([name for name in env if name.startswith("BALIZA_")]) >= len(fields(Settings)) + 1


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("name", ["public", "private"])
def test_a_taken_port_is_named_with_what_to_do(name: str, taken: int) -> None:
    ports = {"public_port": free_port(), "private_port": free_port()} | {f"{name}_port": taken}
    with pytest.raises(PortTaken) as caught:
        check_ports(Settings(**ports))
    assert f"the {name} port {taken} on 127.0.0.1 is taken" in str(caught.value)
    assert f"BALIZA_{name.upper()}_PORT=" in str(caught.value)
    assert int(str(caught.value).split("_PORT=")[1].split()[0]) <= 65535


def test_ports_that_are_free_are_left_free() -> None:
    chosen = Settings(public_port=free_port(), private_port=free_port())
    check_ports(chosen)
    check_ports(chosen)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"public_port": 9000, "private_port": 9000}, "expected two ports, got 9000 twice"),
        ({"public_host": "192.0.2.1"}, "BALIZA_PUBLIC_PORT: cannot listen on 192.0.2.1, port 8000"),
        ({"private_host": "no.such.host.invalid", "public_port": 0}, "BALIZA_PRIVATE_PORT: cannot listen on no.such.host"),
    ],
)
def test_a_port_that_cannot_be_is_a_bad_setting(given: dict[str, object], said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        check_ports(Settings(**given))  # type: ignore[arg-type]


def test_a_data_folder_has_one_supervisor(tmp_path: Path) -> None:
    lock = lock_data_dir(tmp_path / "data")
    with pytest.raises(
        BalizaError, match=rf"runs already in .*data \(process {os.getpid()}\); stop that, or choose another"
    ):
        lock_data_dir(tmp_path / "data")
    lock.close()
    lock_data_dir(tmp_path / "data").close()


def test_a_data_folder_that_cannot_be_written_is_a_bad_setting(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(BadSetting, match=r"BALIZA_DATA_DIR: expected a folder to write to, got .*data: "):
        lock_data_dir(tmp_path / "data")


def test_nothing_left_behind_is_taken_over_in_silence(tmp_path: Path) -> None:
    told: list[str] = []
    take_over(tmp_path, told.append)
    assert told == []


def test_services_that_were_left_behind_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    lock = hold_together(services_lock(tmp_path))
    assert lock is not None
    with lock:
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"], pass_fds=[lock.fileno()])
    take_over(tmp_path, told.append)
    assert told == ["a former run was killed; waiting for its services to end"]
    assert process.wait(5) == 0
    monkeypatch.setattr(module, "LEFT_OVER_ENDS_WITHIN_S", 0.2)
    lock = hold_together(services_lock(tmp_path))
    with pytest.raises(BalizaError, match=r"services of a former run in .* do not end; `lsof .*services.lock` shows them"):
        take_over(tmp_path, told.append)
    assert lock is not None
    lock.close()


def test_workers_of_a_killed_service_make_room(tmp_path: Path) -> None:
    """A gunicorn that was killed leaves workers behind that have its port."""
    code = "import os, time\npid = os.fork()\nprint(pid, flush=True) if pid else None\ntime.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    process.kill()
    process.wait()
    child = Child("nothing", Settings(data_dir=tmp_path), process=process)
    child.start()
    wait_for(lambda: gone(worker))
    child.stop()
    process.stdout.close()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def gone(pid: int) -> bool:
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return shown.strip() in ("", "Z", "Zs", "Z+")


def test_parts_keep_the_protocol() -> None:
    parts: list[Part] = [
        Child("a", Settings()),
        ValkeyPart(EmbeddedValkey(Path())),
        ClickHousePart(EmbeddedClickHouse(Path())),
    ]
    assert [part.running() for part in parts] == [False, False, False]
    for part in parts:
        part.stop()
