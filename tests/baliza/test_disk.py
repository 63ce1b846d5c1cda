"""A live store on a disk that fills up and is emptied."""

from collections.abc import Iterator

import pytest
from redis.exceptions import OutOfMemoryError

from baliza.disk import MIB, DiskGuard
from baliza.stores import RedisClient

pytestmark = pytest.mark.redis


class Disk:
    free_mb = 1000.0

    def __call__(self) -> int:
        return int(self.free_mb * MIB)


@pytest.fixture
def disk(redis_client: RedisClient) -> Iterator[Disk]:
    yield Disk()
    redis_client.config_set("maxmemory", 0)


def test_the_store_takes_nothing_while_the_disk_is_nearly_full(redis_client: RedisClient, disk: Disk) -> None:
    said: list[str] = []
    redis_client.set("before", "1")
    guard = DiskGuard(redis_client, disk, 100, 0, said.append)
    guard.look()
    disk.free_mb = 99.9
    guard.look()
    with pytest.raises(OutOfMemoryError):
        redis_client.set("a", "b")
    assert redis_client.get("before") == b"1"
    redis_client.config_set("maxmemory", 0)  # it was started again
    guard.look()
    disk.free_mb = 110
    guard.look()
    with pytest.raises(OutOfMemoryError):
        redis_client.set("a", "b")
    disk.free_mb = 126
    guard.look()
    redis_client.set("a", "b")
    assert [text.partition(":")[0] for text in said] == [
        "the disk has 99 MiB left",
        "the disk has room again; events are taken",
    ]


def test_the_limit_of_memory_is_as_it_was_afterwards(redis_client: RedisClient, disk: Disk) -> None:
    guard = DiskGuard(redis_client, disk, 100, 64, lambda _text: None)
    disk.free_mb = 1
    guard.look()
    disk.free_mb = 1000
    guard.look()
    assert redis_client.config_get("maxmemory") == {"maxmemory": str(64 * MIB)}


def test_without_a_reserve_nothing_is_asked(redis_client: RedisClient, disk: Disk) -> None:
    disk.free_mb = 0
    DiskGuard(redis_client, disk, 0, 0).look()
    redis_client.set("a", "b")
