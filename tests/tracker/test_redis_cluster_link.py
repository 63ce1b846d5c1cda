"""The edge worker's link to a cluster: every command finds its master, whatever moves, and a part that is down is alone."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from redis.crc import key_slot

from baliza.embedded.valkey import EmbeddedValkey, free_port
from baliza.errors import StoreDown
from baliza.settings import Settings
from schema import keys
from tests.support.observations import observation
from tests.support.valkey_cluster import PASSWORD, ValkeyCluster
from tests.tracker.test_redislink import Drive, Driven, Replies, drive, valkey_url
from tracker.redis_cluster_link import ClusterLink, open_link
from tracker.redislink import RedisLink, tag_of

__all__ = ["drive", "valkey_url"]

pytestmark = pytest.mark.redis
PARTITIONS = range(12)


class Cluster(Driven):
    link: ClusterLink

    def ready(self) -> bool:
        wanted = {address for address in self.link._slots if address}
        return bool(wanted) and all(address in self.link._links and self.link._links[address].ready for address in wanted)

    def put(self, key: str, value: str = "x") -> Any:
        """The reply to one SET, or StoreDown."""
        got = self.ask(("SET", key, value))
        return got if isinstance(got, StoreDown) else got[0]


@pytest.fixture
def cluster(valkey_cluster: ValkeyCluster) -> Iterator[ValkeyCluster]:
    yield valkey_cluster
    valkey_cluster.until(lambda: all(map(valkey_cluster.in_order, valkey_cluster.servers)), "left as it was found")
    for server in valkey_cluster.servers[:3]:
        valkey_cluster.ask(server, "FLUSHALL")


@pytest.fixture
def reach(cluster: ValkeyCluster) -> Iterator[Callable[..., Cluster]]:
    made: list[Cluster] = []

    def make(url: str = "", timeout_s: float = 1.0, wait_replicas: int = 0) -> Cluster:
        made.append(Cluster(url or cluster.url, timeout_s, ClusterLink, wait_replicas))
        made[-1].turn_until(made[-1].ready)
        return made[-1]

    yield make
    for each in made:
        each.close()


Reach = Callable[..., Cluster]


@contextmanager
def hanging(server: EmbeddedValkey) -> Iterator[None]:
    assert server.process
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.process.pid, signal.SIGCONT)


@contextmanager
def moving(cluster: ValkeyCluster, key: str) -> Iterator[Callable[[], None]]:
    """The key's slot is on its way from its master to another; call to let it arrive. Goes back at the end."""
    slot, home = key_slot(key.encode()), cluster.serving(key)
    other = next(server for server in cluster.servers[:3] if server.port != home.port)
    ids = {server.port: cluster.ask(server, "CLUSTER", "MYID").decode() for server in (home, other)}
    cluster.ask(other, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[home.port])
    cluster.ask(home, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[other.port])

    def arrive(at: EmbeddedValkey = other) -> None:
        for server in (at, home, other):
            cluster.ask(server, "CLUSTER", "SETSLOT", slot, "NODE", ids[at.port])
        cluster.ask(at, "CLUSTER", "BUMPEPOCH")  # else the others go on believing who had it before

    try:
        yield arrive
    finally:
        cluster.ask(other, "FLUSHALL")  # a slot with keys is not given away
        arrive(home)
        for server in (home, other):
            cluster.ask(server, "CLUSTER", "SETSLOT", slot, "STABLE")


def partition_elsewhere(cluster: ValkeyCluster, than: int) -> int:
    return next(n for n in PARTITIONS if cluster.serving(keys.events(n)).port != cluster.serving(keys.events(than)).port)


def test_what_is_between_the_first_braces_decides() -> None:
    found = [tag_of(key) for key in ("{p1}:events", "a{b}{c}", "{}x", "plain", "x}y{z", "{p1}:v:demo:{odd}")]
    assert found == ["p1", "b", "{}x", "plain", "x}y{z", "p1"]


def test_commands_of_one_request_go_to_all_masters_and_answer_in_order(cluster: ValkeyCluster, reach: Reach) -> None:
    driven = reach()
    commands: list[tuple[Any, ...]] = [("SET", keys.mark(f"p{n}"), n) for n in PARTITIONS]
    commands += [("GETDEL", keys.mark(f"p{n}")) for n in reversed(PARTITIONS)]
    got = driven.ask(*commands)
    assert got == [b"OK"] * 12 + [b"%d" % n for n in reversed(PARTITIONS)]
    assert {cluster.serving(keys.events(n)).port for n in PARTITIONS} == {server.port for server in cluster.servers[:3]}
    assert driven.link.idle


def test_finds_the_masters_through_a_replica_when_the_first_server_is_gone(cluster: ValkeyCluster, reach: Reach) -> None:
    driven = reach(f"redis+cluster://:{PASSWORD}@127.0.0.1:{free_port()},127.0.0.1:{cluster.servers[4].port}")
    assert [driven.put(keys.mark(f"p{n}")) for n in PARTITIONS] == [b"OK"] * 12
    assert len(driven.link._links) == 3


def test_every_master_gets_the_functions(cluster: ValkeyCluster, reach: Reach) -> None:
    for server in cluster.servers[:3]:
        cluster.ask(server, "FUNCTION", "FLUSH")
    driven = reach()
    assert driven.ask(*[("FCALL", "close_batch_v1", 1, keys.mark(f"p{n}"), "none") for n in PARTITIONS]) == [0] * 12


def test_functions_that_are_gone_are_loaded_again(cluster: ValkeyCluster, reach: Reach) -> None:
    driven = reach()
    cluster.ask(cluster.serving(keys.mark("p1")), "FUNCTION", "FLUSH")
    call = ("FCALL", "close_batch_v1", 1, keys.mark("p1"), "none")
    assert isinstance(driven.ask(call), StoreDown)
    driven.turn_until(lambda: driven.link.idle)
    assert driven.ask(call) == [0]


def test_an_error_is_its_requests_alone(reach: Reach) -> None:
    driven = reach()
    got: Replies = []
    driven.link.send([("SET", keys.mark("p1"), "x"), ("HSET", keys.mark("p1"), "a", "b")], got.append, time.monotonic())
    driven.link.send([("GET", keys.mark("p1"))], got.append, time.monotonic())
    driven.turn_until(lambda: len(got) == 2)
    assert isinstance(got[0], StoreDown)
    assert got[1] == [b"x"]


def test_follows_a_slot_that_has_moved(cluster: ValkeyCluster, reach: Reach) -> None:
    driven = reach()
    key = keys.mark("p1")
    with moving(cluster, key) as arrive:
        arrive()
        assert driven.put(key) == b"OK"
        assert driven.put(key) == b"OK"
    assert driven.put(key) == b"OK"


def test_asks_where_a_key_is_while_its_slot_moves(cluster: ValkeyCluster, reach: Reach) -> None:
    driven = reach()
    old, new = keys.mark("p1"), keys.events(1)
    assert driven.put(old) == b"OK"
    with moving(cluster, old):
        assert driven.ask(("GET", old), ("SET", new, "y"), ("GET", new)) == [b"x", b"OK", b"y"]
        assert driven.ask(("DEL", old)) == [1]


def test_a_slot_that_moves_as_a_whole_is_not_felt(cluster: ValkeyCluster, reach: Reach) -> None:
    """As masters are added. Valkey 9 and newer."""
    driven = reach(wait_replicas=1)
    key = keys.events(1)
    slot, home = key_slot(key.encode()), cluster.serving(key)
    other = next(server for server in cluster.servers[:3] if server.port != home.port)
    got: Replies = []
    for source, target in ((home, other), (other, home)):
        name = cluster.ask(target, "CLUSTER", "MYID").decode()
        cluster.ask(source, "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", name)

        def arrived(target: EmbeddedValkey = target) -> bool:
            driven.link.send([("XADD", key, "*", "n", len(got))], got.append, time.monotonic())
            return cluster.serving(key).port == target.port

        driven.turn_until(arrived, most_s=20)
    driven.turn_until(lambda: driven.link.idle)
    assert not [each for each in got if isinstance(each, StoreDown)]
    assert cluster.ask(home, "XLEN", key) == len(got)


def test_waits_for_a_call_whose_keys_are_in_two_places(cluster: ValkeyCluster, reach: Reach) -> None:
    driven = reach(timeout_s=2.0)
    got: Replies = []
    call = ("FCALL", "cancel_cart_v1", 2, keys.carts(1, "demo"), keys.abandoned(1, "demo"), "v-1", 5)
    with moving(cluster, keys.mark("p1")) as arrive:
        driven.link.send([call], got.append, time.monotonic())
        began = time.monotonic()
        driven.turn_until(lambda: time.monotonic() - began > 0.2)
        assert got == []
        arrive()
        driven.turn_until(lambda: bool(got))
    assert got == [[0]]


def test_a_call_that_stays_between_two_masters_is_store_down_in_time(cluster: ValkeyCluster, reach: Reach) -> None:
    driven = reach(timeout_s=0.3)
    call = ("FCALL", "cancel_cart_v1", 2, keys.carts(1, "demo"), keys.abandoned(1, "demo"), "v-1", 5)
    with moving(cluster, keys.mark("p1")):
        began = time.monotonic()
        assert isinstance(driven.ask(call), StoreDown)
        assert time.monotonic() - began < 1.0
        assert driven.put(keys.mark(f"p{partition_elsewhere(cluster, 1)}")) == b"OK"


def test_a_master_that_hangs_stops_its_own_partitions_only(cluster: ValkeyCluster, reach: Reach) -> None:
    driven = reach(timeout_s=0.3)
    other = keys.mark(f"p{partition_elsewhere(cluster, 1)}")
    got: Replies = []
    with hanging(cluster.serving(keys.mark("p1"))):
        driven.link.send([("SET", keys.mark("p1"), "x")], got.append, time.monotonic())
        began = time.monotonic()
        assert driven.put(other) == b"OK"
        assert time.monotonic() - began < 0.2
        driven.turn_until(lambda: bool(got))
        assert isinstance(got[0], StoreDown)
        assert driven.put(other) == b"OK"
        assert isinstance(driven.ask(("SET", other, "x"), ("SET", keys.mark("p1"), "x")), StoreDown)
    driven.turn_until(driven.ready)
    assert driven.put(keys.mark("p1")) == b"OK"


def test_nothing_is_answered_before_a_replica_has_it(cluster: ValkeyCluster, reach: Reach) -> None:
    driven = reach(timeout_s=0.9, wait_replicas=1)
    other = keys.mark(f"p{partition_elsewhere(cluster, 1)}")
    assert driven.put(keys.mark("p1")) == b"OK"
    (replica,) = cluster.replicas_of(cluster.serving(keys.mark("p1")))
    got: Replies = []
    with hanging(replica):
        driven.link.send([("XADD", keys.events(1), "*", "n", "1")], got.append, time.monotonic())
        assert driven.put(other) == b"OK"
        assert got == []
        driven.turn_until(lambda: bool(got))
        assert isinstance(got[0], StoreDown)
        assert cluster.ask(cluster.serving(keys.mark("p1")), "XLEN", keys.events(1)) == 1
        # What is repeated writes nothing, and is no more accepted than before.
        again = reach(timeout_s=0.9, wait_replicas=1)
        assert isinstance(again.ask(("SETNX", keys.mark("p1"), "y")), StoreDown)
    driven.turn_until(lambda: driven.put(keys.mark("p1")) == b"OK")


def test_many_requests_share_one_wait(cluster: ValkeyCluster, reach: Reach) -> None:
    driven = reach(wait_replicas=1)
    master = cluster.serving(keys.events(1))
    cluster.ask(master, "CONFIG", "RESETSTAT")
    got: Replies = []
    for number in range(300):
        driven.link.send([("XADD", keys.events(1), "*", "n", number)], got.append, time.monotonic())
        if number % 100 == 0:
            driven.link.flush()
    driven.turn_until(lambda: len(got) == 300)
    assert not [each for each in got if isinstance(each, StoreDown)]
    stats = cluster.ask(master, "INFO", "commandstats").decode()
    calls = {
        line[8 : line.index(":")]: int(line.partition("calls=")[2].partition(",")[0])
        for line in stats.split()
        if "calls=" in line
    }
    assert (calls["xadd"], calls["wait"]) == (300, 2)


def test_without_replicas_nothing_is_taken_and_reading_goes_on(valkey_url: str, drive: Drive) -> None:
    driven = drive(valkey_url, timeout_s=0.9, wait_replicas=1)
    driven.turn_until(driven.ready)
    got: list[tuple[int, Sequence[Any] | StoreDown]] = []
    for number, command in enumerate([("ECHO", "a"), ("SET", "{t}x", "1"), ("ECHO", "b"), ("SET", "{t}y", "1")]):
        driven.link.send([command], lambda replies, n=number: got.append((n, replies)), time.monotonic())
        driven.link.flush()
    driven.turn_until(lambda: len(got) == 4)
    assert {number: isinstance(replies, StoreDown) for number, replies in got} == {0: False, 1: True, 2: False, 3: True}
    assert driven.ask(("ECHO", "c")) == [b"c"]


def test_whoever_waits_is_told_when_the_link_closes(cluster: ValkeyCluster, reach: Reach) -> None:
    driven = reach(wait_replicas=1)
    got: Replies = []
    for n in PARTITIONS:
        driven.link.send([("SET", keys.mark(f"p{n}"), "x")], got.append, time.monotonic())
    driven.link.flush()
    driven.link.close()
    assert [type(each) for each in got] == [StoreDown] * 12
    assert driven.link.idle


def test_observations_find_their_masters(cluster: ValkeyCluster, reach: Reach) -> None:
    driven = reach()
    got: dict[int, Any] = {}
    for number in range(40):
        command = observation(f"v-{number % 30}", f"e-{number % 30}")
        driven.link.observe(command, lambda marks, n=number: got.update({n: marks}), time.monotonic())
    driven.turn_until(lambda: len(got) == 40)
    assert [got[number] for number in range(40)] == [b"1"] * 30 + [b"0"] * 10


def test_no_map_is_store_down_at_once() -> None:
    driven = Cluster(f"redis+cluster://127.0.0.1:{free_port()}", 0.3, ClusterLink)
    assert isinstance(driven.put("a"), StoreDown)
    driven.close()


def test_the_url_says_which_link_it_is(cluster: ValkeyCluster, valkey_url: str) -> None:
    driven = Cluster(cluster.url, 0.3, ClusterLink)
    assert isinstance(open_link(Settings(redis_url=cluster.url), driven.selector), ClusterLink)
    assert isinstance(open_link(Settings(redis_url="redis://127.0.0.1:1"), driven.selector), RedisLink)
    driven.close()
