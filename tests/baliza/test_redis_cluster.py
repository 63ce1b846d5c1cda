"""The live store as a cluster: how its URL is read, and that a client of it does what one of a single server does."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from baliza import stores
from baliza.embedded.valkey import free_port
from baliza.errors import BadSetting, StoreDown
from baliza.redis_cluster import ClusterClient, ClusterPlace, parse_cluster_url
from baliza.settings import Settings, load_settings
from baliza.stores import call
from schema import keys
from tests.support.valkey_cluster import ValkeyCluster

PARTITIONS = range(8)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis+cluster://one", ClusterPlace((("one", 6379),))),
        (
            "redis+cluster://:p%40ss:w@one:7000,two.example:7001/0",
            ClusterPlace((("one", 7000), ("two.example", 7001)), "", "p@ss:w"),
        ),
        ("redis+cluster://me:pw@[::1]:7000,10.0.0.2", ClusterPlace((("::1", 7000), ("10.0.0.2", 6379)), "me", "pw")),
    ],
)
def test_reads_the_url_of_a_cluster(url: str, place: ClusterPlace) -> None:
    assert load_settings({"BALIZA_REDIS_URL": url}, Path("nowhere")).redis_url == url
    assert parse_cluster_url(url) == place


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis+cluster://:secret@one:7000,", "got '' for one of the servers"),
        ("redis+cluster://:secret@one:70000", "got 'one:70000' for one of the servers"),
        ("redis+cluster://:secret@one:7000/3", "a cluster has the database 0 only, got '3'"),
        ("rediss+cluster://:secret@one:7000", "got the scheme 'rediss.cluster'; a cluster is reached without TLS"),
    ],
)
def test_refuses_the_url_of_no_cluster_and_repeats_no_password(url: str, said: str) -> None:
    with pytest.raises(BadSetting, match=said) as refused:
        parse_cluster_url(url)
    assert "secret" not in str(refused.value)


def test_replicas_are_waited_for_on_a_cluster_unless_set_otherwise() -> None:
    one, many = Settings(redis_url="redis://one"), Settings(redis_url="redis+cluster://one")
    assert [stores.replicas_to_wait_for(each) for each in (one, many)] == [0, 1]
    assert [stores.replicas_to_wait_for(replace(each, redis_wait_replicas=2)) for each in (one, many)] == [2, 2]
    assert stores.replicas_to_wait_for(replace(many, redis_wait_replicas=0)) == 0


@pytest.fixture
def settings(valkey_cluster: ValkeyCluster) -> Settings:
    return Settings(redis_url=valkey_cluster.url, partitions=len(PARTITIONS), redis_timeout_s=1.0)


@pytest.fixture
def client(settings: Settings) -> Iterator[ClusterClient]:
    with stores.redis(settings) as client:
        client.flushall()
        stores.install(client, settings)
        yield client


@pytest.mark.redis
def test_every_master_has_the_functions_and_some_of_the_partitions(
    client: ClusterClient, valkey_cluster: ValkeyCluster
) -> None:
    tags = [keys.mark(f"p{partition}") for partition in range(64)]
    masters = client.each_master(tags)
    ports = {master.connection_pool.connection_kwargs["port"] for master, _ in masters}
    assert ports == {server.port for server in valkey_cluster.servers[:3]}
    for master, key in masters:
        assert master.fcall("close_batch_v1", 1, key, "nothing") == 0


@pytest.mark.redis
def test_a_pipeline_goes_to_all_masters_and_answers_in_order(client: ClusterClient) -> None:
    pipe = client.pipeline(transaction=False)
    for partition in PARTITIONS:
        pipe.xadd(keys.events(partition), {"n": partition})
        pipe.xlen(keys.events(partition))
        pipe.fcall("note_purchase_v1", 1, keys.customer(partition, "demo", "c"), 7, 60_000)
    answers = call(pipe.execute)
    assert answers[1::3] == [1] * 8
    assert answers[2::3] == [1] * 8
    names = [keys.events(partition) for partition in PARTITIONS]
    assert set(client.keys("*:events")) == {name.encode() for name in names}
    assert client.delete(*names) == 8
    assert client.keys("*:events") == []


@pytest.mark.redis
def test_a_function_is_called_without_asking_where_its_keys_are(client: ClusterClient) -> None:
    key = keys.customer(3, "demo", "c")
    client.config_resetstat()
    assert client.fcall("note_purchase_v1", 1, key, 7, 60_000) == 1
    said = client.info("commandstats", target_nodes=client.get_primaries())
    assert not any("cmdstat_command|getkeys" in each for each in said.values())
    with pytest.raises(ResponseError, match="Function not found"):
        call(lambda: client.fcall("no_such_function", 1, key))


@pytest.mark.redis
def test_a_write_is_with_the_replicas_after_waiting_for_them(client: ClusterClient, settings: Settings) -> None:
    for partition in PARTITIONS:
        client.xadd(keys.events(partition), {"n": 1})
    stores.wait_for_replicas(client, settings, map(keys.tag, PARTITIONS))
    assert len(client.keys("*:mark")) == 3


@pytest.mark.redis
def test_replicas_that_hang_are_store_down_and_nobody_else_waits(
    client: ClusterClient, settings: Settings, valkey_cluster: ValkeyCluster
) -> None:
    """Also for who wrote nothing himself: what he read may not be with the replicas yet."""
    (hanging,) = valkey_cluster.replicas_of(valkey_cluster.serving(keys.events(0)))
    assert hanging.process
    os.kill(hanging.process.pid, signal.SIGSTOP)
    try:
        client.xadd(keys.events(0), {"n": 1})
        with stores.redis(settings) as other:
            assert other.xlen(keys.events(0)) == 1
            with pytest.raises(StoreDown, match="replicas do not keep up: 0 of 1"):
                stores.wait_for_replicas(other, settings, ["p0"])
            stores.wait_for_replicas(other, replace(settings, redis_wait_replicas=0), ["p0"])
            others = [
                n for n in PARTITIONS if valkey_cluster.serving(keys.events(n)) != valkey_cluster.serving(keys.events(0))
            ]
            stores.wait_for_replicas(other, settings, map(keys.tag, others))
    finally:
        os.kill(hanging.process.pid, signal.SIGCONT)
    valkey_cluster.until(lambda: all(map(valkey_cluster.in_order, valkey_cluster.servers)), "all is well again")


@pytest.mark.redis
def test_one_server_waits_for_its_replicas_too(redis_client: object, valkey_url: str) -> None:
    lonely = Settings(redis_url=valkey_url, redis_wait_replicas=3, redis_timeout_s=0.1)
    with pytest.raises(StoreDown, match=r"\d of 3 have it"):
        stores.wait_for_replicas(redis_client, lonely, ["p1"])


@pytest.mark.redis
def test_a_cluster_that_is_away_is_store_down() -> None:
    away = Settings(redis_url=f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{free_port()}", redis_timeout_s=0.2)
    with stores.redis(away) as client:
        with pytest.raises(StoreDown, match="the live store does not answer"):
            call(lambda: client.get("a"))
        with pytest.raises(StoreDown, match="the live store does not answer"):
            client.pipeline(transaction=False)
