"""The live store as a cluster: kill -9 of its masters under load. What was accepted is in the history, once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clickhouse_driver import Client

from baliza.embedded.clickhouse import EmbeddedClickHouse
from baliza.embedded.valkey import EmbeddedValkey
from baliza.migrations import migrate
from baliza.settings import PARENT_VARIABLE
from baliza.sites import set_origins
from baliza.stores import RedisClient
from schema import keys
from tests.reliability.crowd import Crowd
from tests.reliability.test_chaos import assert_same_as_undisturbed
from tests.reliability.truth import PARTITIONS, Undisturbed, assert_everything_once, stored_ids
from tests.support.collector import RunningCollector
from tests.support.product import wait_for
from tests.support.valkey_cluster import ValkeyCluster

pytestmark = [pytest.mark.network, pytest.mark.long, pytest.mark.timeout(300)]

SEED = int(os.environ.get("BALIZA_TEST_SEED", "1"))
NODE_TIMEOUT_MS = 3_000
# What there is to lose shows when replicas are not waited for: BALIZA_TEST_WAIT_REPLICAS=0 reports it instead of failing.
WAIT_REPLICAS = os.environ.get("BALIZA_TEST_WAIT_REPLICAS", "1")


@contextmanager
def hanging(servers: list[EmbeddedValkey]) -> Iterator[None]:
    pids = [server.process.pid for server in servers if server.process]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


class Scattered:
    """A collector with two workers and an ingest process on a cluster of three masters, and a history."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Two replicas: when one has become the master, there still is one that has what it takes.
        self.cluster = ValkeyCluster(folder / "cluster", replicas=2)
        self.engine = EmbeddedClickHouse(folder / "clickhouse")
        self.collector: RunningCollector | None = None
        self.ingest: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        self.cluster.start()
        self.cluster.fail_over_after(NODE_TIMEOUT_MS)
        self.engine.start()
        with self.history() as client:
            migrate(client)
        given = {
            "BALIZA_REDIS_WAIT_REPLICAS": WAIT_REPLICAS,
            "BALIZA_COLLECTOR_WORKERS": "2",
            "BALIZA_CLICKHOUSE_URL": self.engine.url(),
            "BALIZA_INGEST_INTERVAL_S": "0.1",
        }
        self.collector = RunningCollector(self.folder, given, cluster_url=self.cluster.url)
        set_origins(self.collector.redis, "demo", ["*"])
        needed = {"BALIZA_REDIS_URL": self.cluster.url, "BALIZA_PARTITIONS": str(PARTITIONS)}
        needed |= {"BALIZA_DATA_DIR": str(self.folder / "data"), PARENT_VARIABLE: str(os.getpid())}
        with (self.folder / "ingest.log").open("wb") as log:
            words = [sys.executable, "-m", "baliza.cli", "serve", "ingest"]
            self.ingest = subprocess.Popen(words, stdout=log, stderr=log, env=os.environ | given | needed)
        self.collector.wait_until_ready()

    @property
    def url(self) -> str:
        assert self.collector
        return self.collector.url

    @contextmanager
    def history(self) -> Iterator[Client]:
        client = Client.from_url(self.engine.url())
        yield client
        client.disconnect()

    @contextmanager
    def stores(self) -> Iterator[tuple[RedisClient, Client]]:
        assert self.collector
        with self.history() as client:
            yield self.collector.redis, client

    def fail_over(self, master: EmbeddedValkey, cut_off_s: float) -> float:
        """kill -9; the seconds until a replica has taken over. For a while before that, no replica hears of anything: what
        is killed by itself gives what it wrote to the kernel, which delivers it; a box that fails does not."""
        replicas = self.cluster.replicas_of(master)
        with hanging(replicas):
            if cut_off_s:
                self.cluster.ask(master, "CLIENT", "KILL", "TYPE", "replica")
                time.sleep(cut_off_s)
            master.kill()
        return self.cluster.until(lambda: any(map(self.cluster.is_master, replicas)), "a replica has taken over")

    def heal(self, server: EmbeddedValkey) -> None:
        """Start it again; it comes back as a replica."""
        server.start()
        self.cluster.until(lambda: all(map(self.cluster.in_order, self.cluster.servers)), "all is in order")
        self.cluster.until(lambda: not self.cluster.is_master(server), "it follows who took over")

    def until_nothing_waits(self) -> None:
        assert self.collector
        redis, log = self.collector.redis, self.folder / "ingest.log"
        streams = [keys.events(partition) for partition in range(PARTITIONS)]
        wait_for(lambda: not any(map(redis.xlen, streams)), 60, lambda: log.read_text()[-3000:])

    def close(self) -> None:
        if self.ingest:
            self.ingest.kill()
            self.ingest.wait()
        if self.collector:
            self.collector.close()
        self.engine.kill()
        self.cluster.stop()


@pytest.fixture
def scattered(tmp_path: Path) -> Iterator[Scattered]:
    made = Scattered(tmp_path)
    try:
        made.open()
        yield made
    finally:
        made.close()


def test_masters_that_are_killed_take_nothing_with_them(scattered: Scattered, undisturbed: Undisturbed) -> None:
    crowd = Crowd(scattered.url, datetime.now(UTC), SEED, batches_per_s=150)
    crowd.wait_for(100)
    took = []
    for master, cut_off_s in zip(scattered.cluster.servers[:3], (0, 1.0, 0), strict=True):
        time.sleep(1.5)  # something has to be on its way
        took.append(scattered.fail_over(master, cut_off_s))
        crowd.wait_for(50)
        scattered.heal(master)
        crowd.wait_for(50)
    crowd.stop()
    scattered.until_nothing_waits()
    with scattered.history() as client:
        stored = stored_ids(client)
    lost, twice = crowd.taken - stored.keys(), [each for each, times in stored.items() if times > 1]
    print(  # noqa: T201 - the figures of this run
        f"\n{len(took)} failovers, {[round(each, 1) for each in took]} s; answers {dict(crowd.answers)}, the slowest "
        f"{crowd.slowest_s:.1f} s; {len(crowd.taken)} ids taken, {len(stored)} stored, {len(lost)} lost, {len(twice)} twice"
    )
    assert crowd.answers["503"] > 0, "nothing was ever away: nothing was tried"
    if WAIT_REPLICAS != "0":
        assert_everything_once(crowd, stored)
        assert_same_as_undisturbed(scattered, undisturbed, crowd)
