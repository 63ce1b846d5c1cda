"""Leases on a real live store."""

import time

import pytest
from redis import Redis

from baliza.errors import StoreDown
from baliza.lease import Lease
from baliza.stores import RedisClient
from schema import keys
from tests.support.clock import Clock

pytestmark = pytest.mark.redis
ROLE = "sweeping"


def test_takes_a_free_lease_and_keeps_others_out(redis_client: RedisClient) -> None:
    first, second = (Lease(redis_client, ROLE, owner, Clock()) for owner in ("a", "b"))
    assert first.hold()
    assert not second.hold()
    assert redis_client.get(keys.lease(ROLE)) == b"a"


def test_renews_only_its_own(redis_client: RedisClient) -> None:
    lease = Lease(redis_client, ROLE, "a", Clock(), ttl_ms=5_000)
    lease.hold()
    redis_client.pexpire(keys.lease(ROLE), 1_000)
    assert lease.hold()
    assert redis_client.pttl(keys.lease(ROLE)) > 4_000
    redis_client.set(keys.lease(ROLE), "b", px=1_000)
    assert not lease.hold()
    assert redis_client.pttl(keys.lease(ROLE)) <= 1_000


def test_another_takes_over_when_the_holder_falls_silent(redis_client: RedisClient) -> None:
    dead, heir = (Lease(redis_client, ROLE, owner, Clock(), ttl_ms=80) for owner in ("dead", "heir"))
    assert dead.hold()
    deadline = time.monotonic() + 5
    while not heir.hold():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not dead.hold()


def test_release_gives_back_only_its_own(redis_client: RedisClient) -> None:
    first, second = (Lease(redis_client, ROLE, owner, Clock()) for owner in ("a", "b"))
    first.hold()
    assert not second.release()
    assert first.release()
    assert second.hold()


def test_is_valid_until_its_time_is_over(redis_client: RedisClient) -> None:
    clock = Clock()
    lease = Lease(redis_client, ROLE, "a", clock, ttl_ms=10_000)
    assert not lease.valid()
    lease.hold()
    clock.now_s += 9.9
    assert lease.valid()
    clock.now_s += 0.2
    assert not lease.valid()


def test_says_that_the_store_is_down(redis_client: RedisClient) -> None:
    nobody = Redis(host="127.0.0.1", port=1, socket_connect_timeout=1)
    with pytest.raises(StoreDown, match="does not answer"):
        Lease(nobody, ROLE, "a", Clock()).hold()
    nobody.close()


def test_a_holder_of_before_the_clock_was_set_back_keeps_nobody_out(redis_client: RedisClient) -> None:
    dead, heir = (Lease(redis_client, ROLE, owner, Clock()) for owner in ("dead", "heir"))
    assert dead.hold()
    redis_client.pexpire(keys.lease(ROLE), 3600_000 + keys.LEASE_MS)  # what the store's clock makes of it
    assert heir.hold()
    assert redis_client.pttl(keys.lease(ROLE)) <= keys.LEASE_MS


def test_a_full_store_still_gives_leases(redis_client: RedisClient) -> None:
    redis_client.config_set("maxmemory", 1)
    try:
        assert Lease(redis_client, ROLE, "a", Clock()).hold()
    finally:
        redis_client.config_set("maxmemory", 0)
