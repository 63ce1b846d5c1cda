"""The live store as a Redis or Valkey cluster: its URL, and a client that looks like the one of a single server.

What a visitor needs lies in one slot (schema/keys.py), so functions and transactions work as they do on one server; only
pipelines go to several masters at once, and redis-py divides them.
"""

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.crc import key_slot
from redis.exceptions import RedisClusterException, RedisError
from redis.retry import Retry

from baliza.errors import BadSetting, StoreDown

__all__ = ["SCHEME", "ClusterClient", "ClusterPlace", "is_cluster", "parse_cluster_url"]

SCHEME: Final = "redis+cluster"
EXPECTED: Final = f"redis_url: expected {SCHEME}://[[user]:password@]host:port[,host:port…]"
NODE: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?")


def is_cluster(url: str) -> bool:
    return url.startswith(f"{SCHEME}:")


@dataclass(frozen=True)
class ClusterPlace:
    """Some of a cluster's servers, which know the others, and the name and password that all of them take."""

    seeds: tuple[tuple[str, int], ...]
    username: str = ""
    password: str = ""


def parse_cluster_url(url: str) -> ClusterPlace:
    """Of redis+cluster://[[user]:password@]host:port[,host:port…][/0]. BadSetting; the message repeats no password."""
    scheme, _, rest = url.partition("://")
    if scheme != SCHEME:
        raise BadSetting(f"{EXPECTED}, got the scheme {scheme!r}; a cluster is reached without TLS, inside one network")
    places, _, database = rest.partition("?")[0].partition("/")
    if database.strip("/") not in ("", "0"):
        raise BadSetting(f"{EXPECTED}: a cluster has the database 0 only, got {database!r}")
    said, _, hosts = places.rpartition("@")
    username, _, password = said.partition(":")
    return ClusterPlace(tuple(_node(host) for host in hosts.split(",")), unquote(username), unquote(password))


def _node(text: str) -> tuple[str, int]:
    match = NODE.fullmatch(text)
    if not match or not 0 < int(match[2] or 6379) < 65_536:
        raise BadSetting(f"{EXPECTED}, got {text!r} for one of the servers")
    return match[1].strip("[]"), int(match[2] or 6379)


class ClusterClient:
    """redis-py's RedisCluster, made at first use: that a store is away is told by a command, as with a single server.

    Everything it does not have itself is RedisCluster's. `function_load`, `flushall` and `scan_iter` go to every master.
    For many threads. Raises StoreDown while no server of the cluster can be reached.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._place, self._timeout_s = parse_cluster_url(url), timeout_s
        self._lock = threading.Lock()
        self._made: RedisCluster | None = None

    def _cluster(self) -> RedisCluster:
        with self._lock:
            if self._made is None:
                try:
                    self._made = self._make()
                except (RedisClusterException, RedisError, OSError) as error:
                    raise StoreDown("the live store does not answer", error) from error
            return self._made

    def _make(self) -> RedisCluster:
        cluster = RedisCluster(
            startup_nodes=[ClusterNode(*seed) for seed in self._place.seeds],  # type: ignore[no-untyped-call]
            username=self._place.username or None,
            password=self._place.password or None,
            socket_timeout=self._timeout_s,
            socket_connect_timeout=self._timeout_s,
            health_check_interval=30,
            # One more try, after the map of the slots was read again; whoever calls tries again anyway.
            retry=Retry(NoBackoff(), 1),
            require_full_coverage=False,
            # A map that is wrong in one place is wrong in others: after a failover all slots of a master are elsewhere.
            reinitialize_steps=1,
        )
        cluster.commands_parser = _KeysAtHand(cluster.commands_parser)  # type: ignore[assignment]
        return cluster

    def pipeline(self, transaction: bool = True, shard_hint: None = None) -> Any:
        """As a single server's: a transaction unless told otherwise, and then its keys lie in one slot."""
        return self._cluster().pipeline(transaction, shard_hint)  # type: ignore[no-untyped-call]

    def each_master(self, keys: Sequence[str]) -> list[tuple[Any, str]]:
        """Of each master that has some of the keys: a client of it alone, and one of them."""
        cluster = self._cluster()
        found = {node.name: (cluster.get_redis_connection(node), key) for key in keys for node in [_of(cluster, key)]}
        return list(found.values())

    def keys(self, pattern: str = "*") -> list[bytes]:
        """All keys of all masters that match. As on a single server: for tests and people, never for a product."""
        return list(self._cluster().scan_iter(pattern, count=1000))

    def config_set(self, name: str, value: Any) -> Any:
        """On every master."""
        return self._cluster().config_set(name, value, target_nodes=RedisCluster.PRIMARIES)

    def close(self) -> None:
        with self._lock:
            if self._made is not None:
                self._made.close()
                self._made = None

    def __enter__(self) -> "ClusterClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._cluster(), name)


def _of(cluster: RedisCluster, key: str) -> ClusterNode:
    node: ClusterNode = cluster.nodes_manager.get_node_from_slot(key_slot(key.encode()))
    return node


class _KeysAtHand:
    """Finds the keys of a function's call in the call. redis-py would ask the server, a round trip for every one of them."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser
        self._ask: Callable[..., Sequence[Any] | None] = parser.get_keys

    def get_keys(self, redis: Any, *command: Any) -> Sequence[Any] | None:
        if command[0] in ("FCALL", "FCALL_RO"):
            return command[3 : 3 + int(command[2])]
        return self._ask(redis, *command)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)
