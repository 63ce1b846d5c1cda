"""What an accepted event costs on a cluster, and how large it is: python -m loadtests.clustered. Feeds loadtests/plan.py.

Three masters with a replica each, on one machine: what the network would add is not in it. With `wait 1` an answer goes out
when a replica has the event. The cases take turns; figures are medians of the rounds. Every accepted event is found again.
"""

import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

import click

from baliza import stores
from baliza.settings import Settings
from baliza.sites import add_site
from loadtests import carrying
from loadtests.client import send
from loadtests.closed import send_closed
from loadtests.collecting import accepted
from loadtests.payloads import KEY, SECRET, SHOP, Posts
from loadtests.processes import cpu_s, server_cores
from loadtests.servers import Box, Server, box
from tests.support.valkey_cluster import ValkeyCluster

IN_FLIGHT: Final = (1, 8, 64)
ROUNDS: Final = 3
SECONDS: Final = 3.0
EVENTS: Final = 20_000


class ClusterBox(Box):
    """As a box with one live store; its collector's processes are counted alone, and the servers each for itself."""

    def __init__(self, settings: Settings, cluster: ValkeyCluster) -> None:
        self.settings, self.cluster = settings, cluster
        self.valkey, self.clickhouse = cluster.servers[0], None
        self.redis = stores.redis(settings)

    def install(self) -> None:
        stores.install(self.redis, self.settings)
        self.site = add_site(self.redis, "bench", [SHOP], publishable_key=KEY, secret_key=SECRET)[0]

    def forget_streams(self) -> None:
        for partition in range(self.settings.partitions):
            self.redis.unlink(f"{{p{partition}}}:events")


@contextmanager
def cluster_of(folder: Path) -> Iterator[ValkeyCluster]:
    cluster = ValkeyCluster(folder)
    try:
        with server_cores():
            cluster.start()
        yield cluster
    finally:
        cluster.stop()


def pids(opened: Box) -> list[int]:
    servers = opened.cluster.servers if isinstance(opened, ClusterBox) else [opened.valkey]
    return [server.process.pid for server in servers if server.process]


def load(opened: Box, server: Server, in_flight: int, run: str, seconds: float) -> list[float]:
    """µs CPU per event of the collector, of the masters (or the one server), of the replicas; events a second."""
    collector, stored = server.pids[:1], pids(opened)
    masters = len(stored) // 2 or 1
    groups = (collector, stored[:masters], stored[masters:])
    before = [cpu_s(group) for group in groups]
    sent = send_closed(server.address, Posts.of(run, datetime.now(UTC), 1), in_flight, seconds, accepted)
    opened.settle(server)
    used = [cpu_s(group) - began for group, began in zip(groups, before, strict=True)]
    events = opened.streamed()
    assert sent.answered <= events <= sent.answered + in_flight + 1, f"{sent.answered} answered, {events} in the streams"
    opened.forget_streams()
    return [*(each * 1e6 / events for each in used), events / sent.wall_s]


def measure(folder: Path, tell: Callable[[str], None]) -> None:
    """Start all of it, load it in turns, print a table."""
    found: dict[tuple[str, int], list[list[float]]] = defaultdict(list)
    with ExitStack() as running:
        one = running.enter_context(box(folder / "one"))
        cluster = running.enter_context(cluster_of(folder / "cluster"))
        plain = Settings(data_dir=folder / "scattered", redis_url=cluster.url, redis_wait_replicas=0)
        unsure = ClusterBox(plain, cluster)
        sure = ClusterBox(replace(plain, data_dir=folder / "sure", redis_wait_replicas=1), cluster)
        unsure.install()
        boxes = {"one server": one, "cluster, wait 0": unsure, "cluster, wait 1": sure}
        servers = {name: running.enter_context(opened.serving("tracker")) for name, opened in boxes.items()}
        for name, opened in boxes.items():
            load(opened, servers[name], 8, f"warm-{name[-1]}", 1.0)
        for number in range(ROUNDS):
            for in_flight in IN_FLIGHT:
                for place, (name, opened) in enumerate(boxes.items()):
                    run = f"r{number}-{place}-{in_flight}"
                    found[name, in_flight].append(load(opened, servers[name], in_flight, run, SECONDS))
    tell("| live store | in flight | collector | masters | replicas | events/s |\n|---|---:|---:|---:|---:|---:|")
    for (name, in_flight), rounds in sorted(found.items(), key=lambda each: each[0][1]):
        columns = [statistics.median(column) for column in zip(*rounds, strict=True)]
        tell(
            f"| {name} | {in_flight} | " + " | ".join(f"{column:,.1f}" for column in columns[:3]) + f" | {columns[3]:,.0f} |"
        )


def sizes(folder: Path, tell: Callable[[str], None]) -> None:
    """Bytes of an event on its way, one a request, and in the history."""
    with box(folder / "live") as opened, opened.serving("tracker") as collector:
        requests = list(islice(Posts.of("bytes", datetime.now(UTC), 1), EVENTS))
        memory, log = _used(opened), _log_bytes(opened)
        send(collector.address, iter(requests), 64, accepted).expect_all_good("events")
        full, written = _used(opened), _log_bytes(opened) - log
        opened.forget_streams()
        carried = _used(opened)
    tell(f"\nrequest {sum(map(len, requests)) / EVENTS:,.0f} bytes, append-only log {written / EVENTS:,.0f}, waiting in its")
    tell(f"stream {(full - carried) / EVENTS:,.0f}; a visitor of ten events {(carried - memory) / EVENTS * 10:,.0f} bytes")
    with box(folder / "history", with_history=True) as opened:
        for figure in carrying.measure(opened, carrying.past_visits(EVENTS, 14, 1), tell):
            tell(f"{figure.name}: {figure.value:,.1f} {figure.unit}")
        client = stores.clickhouse(opened.settings)
        for table in ("events", "sessions"):
            client.execute(f"OPTIMIZE TABLE {table} FINAL")
            ((stored,),) = client.execute(
                "SELECT sum(bytes_on_disk) FROM system.parts"
                " WHERE active AND database = currentDatabase() AND table = %(table)s",
                {"table": table},
            )
            tell(f"{table}: {stored / EVENTS:,.0f} bytes on disk an event")
        client.disconnect()


def _used(opened: Box) -> int:
    return int(opened.redis.info("memory")["used_memory"])


def _log_bytes(opened: Box) -> int:
    return sum(file.stat().st_size for file in (opened.valkey.data_dir / "appendonlydir").iterdir())


@click.command()
def main() -> None:
    """Print µs of CPU per accepted event, on one server and on a cluster, with and without waiting for replicas; bytes."""
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), click.echo)
        sizes(Path(folder), click.echo)


if __name__ == "__main__":
    main()
