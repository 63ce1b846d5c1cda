"""Real engines for the tests: one Valkey and one ClickHouse engine a session, on free ports, each test with clean data.

BALIZA_TEST_LIVE_STORE=cluster puts a Valkey cluster in the place of the one server.
"""

import logging
import os
import signal
import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client

from baliza import stores
from baliza.embedded.clickhouse import EmbeddedClickHouse
from baliza.embedded.valkey import EmbeddedValkey
from baliza.migrations import migrate
from baliza.settings import Settings
from baliza.sites import Site, add_site
from baliza.stores import History, RedisClient, install
from tests.support.collecting import Shop
from tests.support.collector import RunningCollector
from tests.support.shared_history import SharedHistory
from tests.support.valkey_cluster import ValkeyCluster

# Where the tests run in the background, Ctrl-C is ignored by them and, until somebody says otherwise, by what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

ON_CLUSTER = os.environ.get("BALIZA_TEST_LIVE_STORE") == "cluster"
# What takes longest begins first: none of it is to be left at the end to one process while the others are done.
FIRST = ("tests/baliza/test_up.py", "tests/js_beacon/live/test_outage.py", "tests/whole/", "tests/reliability/")
SERVICE_MARKS = {"redis", "clickhouse", "browser", "network"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(
        key=lambda item: next((place for place, name in enumerate(FIRST) if item.nodeid.startswith(name)), len(FIRST))
    )


@pytest.fixture(autouse=True)
def _no_undeclared_service(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test says by a mark which services it touches; the others stay fast and honest."""
    if SERVICE_MARKS & {mark.name for mark in request.node.iter_markers()}:
        return

    def refuse(*_args: object) -> None:
        pytest.fail("the test opened a connection; mark it with redis, clickhouse, network or browser")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """The live store of this test session. `save` and the log are on, as in production."""
    server = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def valkey_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyCluster]:
    """Three masters with a replica each, for the session: leave it as it was found."""
    cluster = ValkeyCluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def valkey_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue("valkey_cluster" if ON_CLUSTER else "valkey").url
    return url


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedClickHouse]:
    """The history of this test session."""
    server = EmbeddedClickHouse(tmp_path_factory.mktemp("clickhouse"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_database() -> None:
    """For a test that changes tables, and changes them back: its history is migrated for it alone."""


@pytest.fixture(scope="session")
def _shared_history(engine: EmbeddedClickHouse) -> Iterator[SharedHistory]:
    with Client.from_url(engine.url()) as admin:
        yield SharedHistory(admin)


@pytest.fixture
def clickhouse_url(request: pytest.FixtureRequest, engine: EmbeddedClickHouse) -> Iterator[str]:
    """The URL of a fresh, empty database, dropped after the test; with the fixture `history`, of a migrated one."""
    if "history" in request.fixturenames and "own_database" not in request.fixturenames:
        shared: SharedHistory = request.getfixturevalue("_shared_history")
        yield engine.url(shared.clean())
        return
    name = f"test_{uuid.uuid4().hex}"
    admin = Client.from_url(engine.url())
    admin.execute(f"CREATE DATABASE {name}")
    yield engine.url(name)
    admin.execute(f"DROP DATABASE {name}")
    admin.disconnect()


@pytest.fixture
def history(request: pytest.FixtureRequest, clickhouse_url: str) -> Iterator[History]:
    """A migrated database without a row."""
    if "own_database" in request.fixturenames:
        with Client.from_url(clickhouse_url) as client:
            migrate(client)
    opened: list[Client] = []

    def connect() -> Client:
        opened.append(Client.from_url(clickhouse_url))
        return opened[-1]

    yield History(connect)
    for client in opened:
        client.disconnect()


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings for a folder of the test's own and for the engines that its marks declare."""
    marks = {mark.name for mark in request.node.iter_markers()}
    return Settings(
        data_dir=tmp_path / "data",
        redis_url=request.getfixturevalue("valkey_url") if "redis" in marks else "",
        clickhouse_url=request.getfixturevalue("clickhouse_url") if "clickhouse" in marks else "",
        partitions=8,
        secure_cookies=False,
    )


@pytest.fixture
def redis_client(valkey_url: str, settings: Settings) -> Iterator[RedisClient]:
    """An empty live store (it is the test session's own) with the function library and partitions installed."""
    with stores.redis(replace(settings, redis_url=valkey_url)) as client:
        client.flushall()
        install(client, settings)
        yield client


@pytest.fixture
def demo_site(redis_client: RedisClient) -> Site:
    """The site `demo` with the keys pk_demo and sk_demo, open to http://shop.test."""
    site, _ = add_site(redis_client, "demo", ["http://shop.test"], publishable_key="pk_demo", secret_key="sk_demo")
    return site


@pytest.fixture(autouse=True)
def _quiet_driver_logs() -> None:
    logging.getLogger("clickhouse_driver").setLevel(logging.ERROR)


@pytest.fixture
def shop(redis_client: RedisClient, settings: Settings, demo_site: Site) -> Shop:
    """The demo site, sending to a collector on the real live store."""
    return Shop(redis_client, settings)


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    """A collector process with a live store of its own, shared by the session: its .url, its .redis, its .site (demo)."""
    folder = tmp_path_factory.mktemp("collector")
    cluster = ValkeyCluster(folder / "cluster") if ON_CLUSTER else None
    try:
        if cluster:
            cluster.start()
        running = RunningCollector(folder, cluster_url=cluster.url if cluster else "")
        try:
            running.wait_until_ready()
            yield running
        finally:
            running.close()
    finally:
        if cluster:
            cluster.stop()


@pytest.fixture
def closing_stores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Closes at the end of the test what the code under test opened for the life of a process."""
    opened: list[Callable[[], object]] = []
    open_redis, open_clickhouse = stores.redis, stores.clickhouse

    def redis(*given: Any, **named: Any) -> RedisClient:
        client = open_redis(*given, **named)
        opened.append(client.close)
        return client

    def clickhouse(*given: Any, **named: Any) -> Client:
        client = open_clickhouse(*given, **named)
        opened.append(client.disconnect)
        return client

    monkeypatch.setattr(stores, "redis", redis)
    monkeypatch.setattr(stores, "clickhouse", clickhouse)
    yield
    for close in opened:
        close()
