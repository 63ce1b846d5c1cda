"""Connections to the two stores, and what is installed in them: the function library and the partition count."""

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec
from clickhouse_driver import Client
from clickhouse_driver import errors as clickhouse_errors
from redis import Redis
from redis import exceptions as redis_errors
from redis.backoff import NoBackoff
from redis.retry import Retry

from baliza.errors import BadSetting, StoreDown
from baliza.files import write_private
from baliza.redis_cluster import ClusterClient, is_cluster
from baliza.settings import Settings
from schema import keys

__all__ = [
    "MARK",
    "History",
    "RedisClient",
    "call",
    "clickhouse",
    "clickhouse_url",
    "create_database",
    "endpoints_file",
    "first_line",
    "function_library",
    "install",
    "query",
    "redis",
    "redis_url",
    "replicas_to_wait_for",
    "wait_for_replicas",
    "write_endpoints",
]

T = TypeVar("T")
RedisClient: TypeAlias = Any  # redis-py annotates every answer as "value or awaitable", which says nothing
ENDPOINTS_FILE = "endpoints.json"
# Answers of a store that will do it again later and for which its driver has no name of their own: the disk of its log is
# full, its replicas are away, its cluster is being put together, a function takes its time.
NOT_NOW = (
    "MISCONF ", "NOREPLICAS ", "CLUSTERDOWN ", "MASTERDOWN ", "TRYAGAIN ", "BUSY ", "UNBLOCKED ", "WAIT cannot be used",
)  # fmt: skip
# A write of nothing, for WAIT to wait for. Who empties a full store must not be stopped by its being full.
MARK = "#!lua flags=allow-oom\nreturn redis.call('SET', KEYS[1], '')"
# A cluster that is between two states: a failover, slots on their way to another master.
BETWEEN = (redis_errors.ClusterError, redis_errors.SlotNotCoveredError, redis_errors.AskError, redis_errors.TryAgainError)


def endpoints_file(settings: Settings) -> Path:
    return settings.data_dir / "run" / ENDPOINTS_FILE


def write_endpoints(settings: Settings, redis_url: str, clickhouse_url: str) -> None:
    """Tell other commands on this box where the embedded engines are. Readable by the owner only: it holds passwords."""
    file = endpoints_file(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_private(file, json.dumps({"redis_url": redis_url, "clickhouse_url": clickhouse_url}))


def redis_url(settings: Settings) -> str:
    """The live store's URL: as set, or where the running product has it. BadSetting when neither is known."""
    return _url(settings, "redis_url")


def clickhouse_url(settings: Settings) -> str:
    """The history's URL: as set, or where the running product has it. BadSetting when neither is known."""
    return _url(settings, "clickhouse_url")


def _url(settings: Settings, name: str) -> str:
    found: str = getattr(settings, name) or _endpoints(settings).get(name, "")
    if not found:
        raise BadSetting(
            f"{name} is not set and nothing runs in {settings.data_dir.resolve()}: "
            f"start `baliza up` there, or set BALIZA_{name.upper()}"
        )
    return found


def _endpoints(settings: Settings) -> dict[str, str]:
    file = endpoints_file(settings)
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        raise BadSetting(f"{file} cannot be read ({error}); start `baliza up` again, it writes it anew") from None


def redis(settings: Settings, timeout_s: float | None = None) -> RedisClient:
    """A client of the live store (connects at first use). `timeout_s` in place of settings.redis_timeout_s.

    A connection that the store closed meanwhile is opened again once; a store that does not answer is not waited for twice.
    """
    timeout_s = timeout_s or settings.redis_timeout_s
    url = redis_url(settings)
    if is_cluster(url):
        return ClusterClient(url, timeout_s)
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        health_check_interval=30,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis_errors.ConnectionError,)),
    )


def clickhouse(settings: Settings, timeout_s: float | None = None) -> Client:
    """A client of the history (connects at first use). Not to be shared between threads.

    `timeout_s`: seconds of silence after which the history counts as down, in place of the driver's five minutes.
    """
    client = Client.from_url(clickhouse_url(settings))
    # Of a cluster, an insert into all shards is done when they have it; else one server would keep it for the others.
    client.settings.setdefault("distributed_foreground_insert", 1)
    if timeout_s is not None:
        client.connection.send_receive_timeout = timeout_s
        client.connection.sync_request_timeout = min(timeout_s, client.connection.sync_request_timeout)
    return client


def create_database(settings: Settings) -> None:
    """Make the database that the history's URL names, when it is missing. Raises StoreDown."""
    url = clickhouse_url(settings)
    name = urlsplit(url).path.strip("/")
    if not re.fullmatch(r"\w+", name):
        raise BadSetting(
            f"BALIZA_CLICKHOUSE_URL: expected the name of a database after the host (…:9000/baliza), got {name!r}"
        )
    client = Client.from_url(urlsplit(url)._replace(path="/default").geturl())
    try:
        call(lambda: client.execute(f"CREATE DATABASE IF NOT EXISTS {name}"))
    finally:
        client.disconnect()


def call(action: Callable[[], T]) -> T:
    """Run something that talks to a store; its driver's connection errors become StoreDown."""
    try:
        return action()
    except (redis_errors.ConnectionError, redis_errors.TimeoutError, redis_errors.BusyLoadingError) as error:
        raise StoreDown("the live store does not answer", error) from error
    except (redis_errors.OutOfMemoryError, redis_errors.ReadOnlyError, *BETWEEN) as error:
        raise StoreDown("the live store takes nothing", error) from error
    except redis_errors.RedisClusterException as error:
        if "cannot be connected" not in str(error):
            raise
        raise StoreDown("the live store does not answer", error) from error
    except redis_errors.ResponseError as error:
        if not str(error).startswith(NOT_NOW):
            raise
        raise StoreDown("the live store takes nothing", error) from error
    # clickhouse-driver lets the system's errors through when a connection breaks under a query; redis-py never does.
    except (
        clickhouse_errors.NetworkError,
        clickhouse_errors.SocketTimeoutError,
        EOFError,
        ConnectionError,
        TimeoutError,
    ) as error:
        raise StoreDown("the history does not answer", first_line(error)) from error


def first_line(error: BaseException) -> str:
    """The error in one line. ClickHouse's have a stack trace under it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = " ".join(lines[:2]) if lines[:1] and re.fullmatch(r"Code: \d+\.", lines[0]) else "".join(lines[:1])
    return said.partition(" Stack trace:")[0] or type(error).__name__


def query(name: str) -> str:
    """The text of schema/queries/<name>.sql."""
    return files("schema").joinpath("queries", f"{name}.sql").read_text()


def function_library() -> str:
    """The Lua function library that every process expects in the live store: the files of its folder in order."""
    parts = sorted(files("schema").joinpath("redis", "baliza_v1").iterdir(), key=lambda part: part.name)
    return "\n".join(part.read_text() for part in parts if part.name.endswith(".lua"))


def install(client: Any, settings: Settings) -> None:
    """Load the function library and fix the partition count. Safe to repeat; raises BadSetting if the count differs."""
    client.function_load(function_library(), replace=True)
    client.hsetnx(keys.INSTALLED, "partitions", settings.partitions)
    installed = int(client.hget(keys.INSTALLED, "partitions"))
    if installed != settings.partitions:
        raise BadSetting(
            f"BALIZA_PARTITIONS is {settings.partitions}, but this live store was installed with {installed}; "
            "the number cannot change afterwards, because every visitor's keys lie in their partition"
        )


def replicas_to_wait_for(settings: Settings) -> int:
    """How many replicas must have a write before it counts as accepted: as set, else 1 on a cluster and 0 elsewhere."""
    if settings.redis_wait_replicas >= 0:
        return settings.redis_wait_replicas
    return int(is_cluster(settings.redis_url or _endpoints(settings).get("redis_url", "")))


def wait_for_replicas(client: RedisClient, settings: Settings, tags: Iterable[str]) -> None:
    """Wait until replicas have all that was written under these hash tags before, by whomever. Raises StoreDown.

    One round trip to each master and one from there to its replicas; nothing at all where none is to be waited for.
    """
    wanted = replicas_to_wait_for(settings)
    if not wanted:
        return
    marks = [keys.mark(tag) for tag in tags]
    within_ms = int(settings.redis_timeout_s * 1000 / 2)
    masters = call(lambda: client.each_master(marks)) if isinstance(client, ClusterClient) else [(client, marks[0])]
    for master, mark in masters:
        pipe = master.pipeline(transaction=False)
        # WAIT waits for what its own connection wrote. Replicas take writes in order: with this one they have all before it.
        pipe.execute_command("EVAL", MARK, 1, mark)
        pipe.execute_command("WAIT", wanted, within_ms)
        have = call(pipe.execute)[-1]
        if have < wanted:
            raise StoreDown("the live store's replicas do not keep up", f"{have} of {wanted} have it after {within_ms} ms")


class History:
    """ClickHouse for threads: each has its own connection, and every failure to reach it is StoreDown."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._local = threading.local()

    def client(self) -> Client:
        """This thread's client; it connects again by itself when its connection was lost."""
        if not hasattr(self._local, "client"):
            self._local.client = self._connect()
        client: Client = self._local.client
        return client

    def rows(self, sql: str, params: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a query with bound parameters (%(name)s). Blocks. Raises StoreDown."""
        result: list[tuple[Any, ...]] = call(lambda: self.client().execute(sql, params or {}))
        return result

    def chunks(self, sql: str, params: dict[str, Any], size: int) -> Iterator[Sequence[tuple[Any, ...]]]:
        """As rows(), `size` rows or fewer at a time, so that neither side holds all of them. Raises StoreDown on the way."""
        found = call(lambda: self.client().execute_iter(sql, params, chunk_size=size))
        while chunk := call(lambda: next(found, None)):
            yield chunk

    def records(self, sql: str, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """As rows(), each row a dict by column name."""
        rows, columns = call(lambda: self.client().execute(sql, params or {}, with_column_types=True))
        names = [name for name, _ in columns]
        return [dict(zip(names, row, strict=True)) for row in rows]
