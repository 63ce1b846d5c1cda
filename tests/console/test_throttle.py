"""Few log-in tries."""

import pytest
from redis import Redis

from baliza.errors import StoreDown
from baliza.stores import RedisClient
from console.throttle import TRIES_PER_NAME, TRIES_PER_NETWORK, WINDOW_S, forget_tries, network_of, seconds_to_wait


@pytest.mark.redis
def test_name_may_be_tried_five_times_a_minute_from_a_network(redis_client: RedisClient) -> None:
    waits = [seconds_to_wait(redis_client, "ana", f"192.0.2.{n}") for n in range(TRIES_PER_NAME + 1)]
    assert waits[:-1] == [0] * TRIES_PER_NAME
    assert 0 < waits[-1] <= WINDOW_S
    assert seconds_to_wait(redis_client, "ana", "198.51.100.1") == 0
    assert seconds_to_wait(redis_client, "eva", "192.0.2.1") == 0


@pytest.mark.redis
def test_network_may_try_many_names_only_so_often(redis_client: RedisClient) -> None:
    waits = [seconds_to_wait(redis_client, f"name-{n}", "192.0.2.1") for n in range(TRIES_PER_NETWORK + 1)]
    assert waits[:-1] == [0] * TRIES_PER_NETWORK
    assert waits[-1] > 0


@pytest.mark.redis
def test_right_password_forgets_the_tries_of_the_name(redis_client: RedisClient) -> None:
    for _ in range(TRIES_PER_NAME):
        seconds_to_wait(redis_client, "ana", "192.0.2.1")
    forget_tries(redis_client, "ana", "192.0.2.1")
    assert seconds_to_wait(redis_client, "ana", "192.0.2.1") == 0


@pytest.mark.redis
def test_counts_end_by_themselves_and_name_nobody(redis_client: RedisClient) -> None:
    seconds_to_wait(redis_client, "ana", "192.0.2.1")
    found = list(redis_client.scan_iter("{baliza:tries}:*"))
    assert len(found) == 2
    assert all(0 < redis_client.ttl(key) <= WINDOW_S for key in found)
    assert not any(b"ana" in key or b"192" in key for key in found)


@pytest.mark.network
def test_store_away_is_said() -> None:
    with Redis(port=1, socket_connect_timeout=1) as away, pytest.raises(StoreDown):
        seconds_to_wait(away, "ana", "192.0.2.1")


@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.77", "192.0.2.0/24"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("unix", "unix"), ("", "")],
)
def test_network_is_what_one_attacker_has(address: str, network: str) -> None:
    assert network_of(address) == network
