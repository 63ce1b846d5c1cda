"""A real Valkey cluster on loopback: masters with a replica or more each, from the binary that the product carries."""

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Any

from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from baliza.embedded.valkey import EmbeddedValkey, steady_port

__all__ = ["ValkeyCluster"]

SLOTS = 16_384
PASSWORD = "of-the-cluster"


class ValkeyCluster:
    """`servers`: the masters, then a replica of each in the same order, then another of each. Every server has its own
    folder, log and ports.
    """

    def __init__(self, folder: Path, masters: int = 3, replicas: int = 1, node_timeout_ms: int = 10_000) -> None:
        self.masters, self.replicas = masters, replicas
        self.servers = [self._server(folder / f"n{n}", node_timeout_ms) for n in range(masters * (1 + replicas))]

    def _server(self, folder: Path, node_timeout_ms: int) -> EmbeddedValkey:
        needed = {
            "cluster-enabled": "yes",
            "cluster-port": str(steady_port()),
            "cluster-node-timeout": str(node_timeout_ms),
            # A master that is down takes nothing with it but its own slots.
            "cluster-require-full-coverage": "no",
            "cluster-allow-replica-migration": "no",
            "primaryauth": PASSWORD,
            "repl-diskless-sync-delay": "0",
        }
        return EmbeddedValkey(folder, port=steady_port(), options=needed, password=PASSWORD)

    @property
    def url(self) -> str:
        """For BALIZA_REDIS_URL. Two of the servers: whoever comes asks them for the others."""
        places = ",".join(f"127.0.0.1:{server.port}" for server in self.servers[:2])
        return f"redis+cluster://:{PASSWORD}@{places}"

    def start(self) -> None:
        """Start all, divide the slots, and wait until every server says so and every replica is in step."""
        for server in self.servers:
            server.start()
        for n, server in enumerate(self.servers[: self.masters]):
            begin, end = SLOTS * n // self.masters, SLOTS * (n + 1) // self.masters - 1
            self.ask(server, "CLUSTER", "ADDSLOTSRANGE", begin, end)
        for n, server in enumerate(self.servers, 1):
            self.ask(server, "CLUSTER", "SET-CONFIG-EPOCH", n)
        # Each is told of each: by hearsay it would take seconds, and on a busy machine many.
        for server, other in combinations(self.servers, 2):
            self.ask(server, "CLUSTER", "MEET", "127.0.0.1", other.port, other.options["cluster-port"])
        self.until(lambda: all(len(self.nodes(server)) == len(self.servers) for server in self.servers), "all know all")
        for n, replica in enumerate(self.servers[self.masters :]):
            self.follow(replica, self.servers[n % self.masters])
        self.until(lambda: all(self.in_order(server) for server in self.servers), "all slots are served")

    def fail_over_after(self, milliseconds: int) -> None:
        """How long a server may be silent. Not while the cluster is being put together, which a busy machine makes slow."""
        for server in self.servers:
            self.ask(server, "CONFIG", "SET", "cluster-node-timeout", milliseconds)

    def follow(self, replica: EmbeddedValkey, master: EmbeddedValkey) -> None:
        """Make one server the replica of another; waits until it knows of it and is in step."""
        name = self.ask(master, "CLUSTER", "MYID").decode()
        self.until(lambda: name in self.nodes(replica), "the replica knows its master")
        self.ask(replica, "CLUSTER", "REPLICATE", name)
        self.until(lambda: b"master_link_status:up" in self.ask(replica, "INFO", "replication"), "the replica is in step")

    def ask(self, server: EmbeddedValkey, *command: object) -> Any:
        """One command to one server, its answer as it came."""
        with Redis.from_url(server.url, socket_timeout=5, socket_connect_timeout=1) as client:
            connection = client.connection_pool.get_connection()
            connection.send_command(*command)
            answer = connection.read_response()
            client.connection_pool.release(connection)
        return answer

    def nodes(self, server: EmbeddedValkey) -> dict[str, list[str]]:
        """Node id → the other words about it, as this server sees the cluster."""
        lines = self.ask(server, "CLUSTER", "NODES").decode().splitlines()
        return {line.split()[0]: line.split()[1:] for line in lines}

    def in_order(self, server: EmbeddedValkey) -> bool:
        said = self.ask(server, "CLUSTER", "INFO").decode()
        replicas = sum("slave" in words[1] for words in self.nodes(server).values())
        return (
            "cluster_state:ok" in said and f"cluster_slots_ok:{SLOTS}" in said and replicas == self.masters * self.replicas
        )

    def serving(self, key: str) -> EmbeddedValkey:
        """The server that has the key's slot now."""
        slot = key_slot(key.encode())
        for server in self.servers:
            with suppress(RedisError):
                for first, last, (_, port, *_), *_ in self.ask(server, "CLUSTER", "SLOTS"):
                    if first <= slot <= last:
                        return next(server for server in self.servers if server.port == port)
        raise AssertionError(f"nobody serves {key}")

    def replicas_of(self, master: EmbeddedValkey) -> list[EmbeddedValkey]:
        name = self.ask(master, "CLUSTER", "MYID").decode()
        lines = [words for words in self.nodes(master).values() if words[2] == name and "fail" not in words[1]]
        ports = {int(words[0].partition("@")[0].rpartition(":")[2]) for words in lines}
        return [server for server in self.servers if server.port in ports]

    def is_master(self, server: EmbeddedValkey) -> bool:
        with suppress(RedisError):
            return b"role:master" in self.ask(server, "INFO", "replication")
        return False

    def until(self, wanted: Callable[[], bool], what: str, most_s: float = 60.0) -> float:
        """Wait until it is so; the seconds that it took."""
        began = time.monotonic()
        while True:
            with suppress(RedisError):
                if wanted():
                    return time.monotonic() - began
            assert time.monotonic() - began < most_s, f"not so after {most_s} s: {what}"
            time.sleep(0.02)

    def stop(self) -> None:
        """End all at once; nobody needs what they hold."""
        for server in self.servers:
            server.kill()
