import logging
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from baliza.embedded.valkey import EmbeddedValkey, free_port
from baliza.errors import BadSetting, StoreDown
from baliza.settings import Settings
from baliza.stores import function_library, wait_for_replicas
from tests.support.observations import observation, profile_key
from tests.support.replicated import pair
from tracker.redislink import RedisLink, parse_url

Replies = list[Sequence[Any] | StoreDown]


class Driven:
    """A link and a loop that turns as long as a test wants something."""

    def __init__(self, url: str, timeout_s: float = 0.3, kind: Any = RedisLink, wait_replicas: int = 0) -> None:
        self.selector = selectors.DefaultSelector()
        self.link = kind(url, self.selector, timeout_s, function_library(), wait_replicas)
        self.link.tick(time.monotonic())

    def turn_until(self, wanted: Callable[[], bool], most_s: float = 5.0) -> float:
        """Turn until it is so; the seconds that it took."""
        began = time.monotonic()
        while not wanted():
            assert time.monotonic() - began < most_s, f"not so after {most_s} s"
            for key, mask in self.selector.select(0.01) if self.selector.get_map() else []:
                key.data.on_event(mask, time.monotonic())
            self.link.flush()
            self.link.tick(time.monotonic())
        return time.monotonic() - began

    def ask(self, *commands: tuple[Any, ...]) -> Sequence[Any] | StoreDown:
        got: Replies = []
        self.link.send(commands, got.append, time.monotonic())
        self.turn_until(lambda: bool(got))
        return got[0]

    def ready(self) -> bool:
        return bool(self.link._ready)

    def close(self) -> None:
        self.link.close()
        self.selector.close()


@pytest.fixture
def drive() -> Iterator[Callable[..., Driven]]:
    made: list[Driven] = []

    def make(*given: Any, **named: Any) -> Driven:
        made.append(Driven(*given, **named))
        return made[-1]

    yield make
    for driven in made:
        driven.close()


Drive = Callable[..., Driven]


@pytest.fixture(scope="session")
def valkey_url(valkey: EmbeddedValkey) -> str:
    """One server, also where the other tests run on a cluster."""
    return valkey.url


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.mark.parametrize(
    ("url", "address", "greeting"),
    [
        ("redis://127.0.0.1", ("127.0.0.1", 6379), ()),
        ("redis://:s%40cret@127.0.0.1:7000/3", ("127.0.0.1", 7000), (("AUTH", "s@cret"), ("SELECT", "3"))),
        ("redis://me:pw@127.0.0.1/0", ("127.0.0.1", 6379), (("AUTH", "me", "pw"),)),
        ("redis://127.0.0.1?db=2", ("127.0.0.1", 6379), (("SELECT", "2"),)),
        ("unix:///run/valkey.sock?db=1", "/run/valkey.sock", (("SELECT", "1"),)),
        ("unix://:pw@/run/valkey.sock", "/run/valkey.sock", (("AUTH", "pw"),)),
    ],
)
def test_reads_urls_as_the_driver_does(url: str, address: object, greeting: object) -> None:
    server = parse_url(url)
    assert [found for _, found in server.addresses()] == [address]
    assert server.greeting == greeting


@pytest.mark.parametrize("url", ["rediss://127.0.0.1", "http://127.0.0.1", "redis://", "nonsense"])
def test_refuses_urls_that_it_cannot_use(url: str) -> None:
    with pytest.raises(BadSetting, match="redis_url: expected redis://host:port/0 or unix:///path"):
        parse_url(url)


@pytest.mark.redis
def test_hands_replies_back_in_order(valkey_url: str, drive: Drive) -> None:
    driven = drive(valkey_url)
    driven.turn_until(driven.ready)
    got: Replies = []
    for number in range(500):
        driven.link.send([("ECHO", str(number)), ("PING",)], got.append, time.monotonic())
    driven.turn_until(lambda: len(got) == 500)
    assert got == [[b"%d" % number, b"PONG"] for number in range(500)]
    assert driven.link.idle


@pytest.mark.redis
def test_observations_of_one_flush_share_calls_and_each_hears_its_own_marks(
    own_valkey: EmbeddedValkey, drive: Drive
) -> None:
    driven, client = drive(own_valkey.url, timeout_s=5.0), Redis.from_url(own_valkey.url)
    driven.turn_until(driven.ready)
    got: dict[int, Any] = {}
    for number in range(150):
        command = observation(f"v-{number % 100}", f"e-{number % 100}", *([f"more-{number}"] if number >= 100 else []))
        driven.link.observe(command, lambda marks, n=number: got.update({n: marks}), time.monotonic())
    assert not driven.link.idle
    driven.turn_until(lambda: len(got) == 150)
    assert [got[number] for number in range(150)] == [b"1"] * 100 + [b"01"] * 50
    assert client.info("commandstats")["cmdstat_fcall"]["calls"] == 3
    assert driven.link.idle
    client.close()


@pytest.mark.redis
def test_an_observation_that_fails_does_not_touch_those_beside_it(own_valkey: EmbeddedValkey, drive: Drive) -> None:
    driven, client = drive(own_valkey.url), Redis.from_url(own_valkey.url)
    driven.turn_until(driven.ready)
    client.lpush(profile_key("v-1"), "no profile")
    got: dict[str, Any] = {}
    for visitor in ("v-0", "v-1", "v-2"):
        driven.link.observe(observation(visitor, "e"), lambda marks, v=visitor: got.update({v: marks}), time.monotonic())
    driven.turn_until(lambda: len(got) == 3)
    assert (got["v-0"], got["v-2"]) == (b"1", b"1")
    assert isinstance(got["v-1"], StoreDown)
    assert client.exists(profile_key("v-0"), profile_key("v-2")) == 2
    assert driven.ready()
    client.close()


@pytest.mark.redis
def test_large_observations_do_not_share(own_valkey: EmbeddedValkey, drive: Drive) -> None:
    driven, client = drive(own_valkey.url, timeout_s=5.0), Redis.from_url(own_valkey.url)
    driven.turn_until(driven.ready)
    got: list[Any] = []
    for number in range(6):
        many = [f"e-{number}-{place}" for place in range(300)]
        driven.link.observe(observation(f"v-{number}", *many), got.append, time.monotonic())
    driven.turn_until(lambda: len(got) == 6)
    assert got == [b"1" * 300] * 6
    assert client.info("commandstats")["cmdstat_fcall"]["calls"] > 1
    client.close()


@pytest.mark.redis
def test_who_waits_for_a_shared_call_is_told_when_it_is_lost(own_valkey: EmbeddedValkey, drive: Drive) -> None:
    driven = drive(own_valkey.url)
    got: list[Any] = []
    driven.link.observe(observation("v", "e"), got.append, time.monotonic())
    assert [type(each) for each in got] == [StoreDown], "not connected yet"
    driven.turn_until(driven.ready)
    assert own_valkey.process is not None
    own_valkey.process.send_signal(signal.SIGSTOP)  # it shall not answer before it dies
    for number in range(3):
        driven.link.observe(observation(f"v-{number}", "e"), got.append, time.monotonic())
        if number < 2:
            driven.link.flush()
    own_valkey.kill()
    driven.turn_until(lambda: len(got) == 4)
    assert [type(each) for each in got] == [StoreDown] * 4
    assert len({id(each) for each in got}) == 4
    driven.link.observe(observation("v", "e"), got.append, time.monotonic())
    assert isinstance(got[-1], StoreDown)
    assert driven.link.idle


@pytest.mark.redis
def test_writes_more_than_a_socket_takes(valkey_url: str, drive: Drive) -> None:
    driven = drive(valkey_url, timeout_s=5.0)
    driven.turn_until(driven.ready)
    text = b"x" * 500_000
    got: Replies = []
    for _ in range(20):
        driven.link.send([("ECHO", text)], got.append, time.monotonic())
    driven.turn_until(lambda: len(got) == 20)
    assert got == [[text]] * 20


@pytest.mark.redis
def test_refuses_at_once_while_down(drive: Drive) -> None:
    driven = drive(f"redis://127.0.0.1:{free_port()}")
    assert isinstance(driven.ask(("PING",)), StoreDown)


@pytest.mark.redis
def test_error_reply_is_store_down_for_its_request_alone(valkey_url: str, drive: Drive) -> None:
    driven = drive(valkey_url)
    driven.turn_until(driven.ready)
    got: Replies = []
    driven.link.send([("PING",), ("NO-SUCH-COMMAND",)], got.append, time.monotonic())
    driven.link.send([("PING",)], got.append, time.monotonic())
    driven.turn_until(lambda: len(got) == 2)
    assert isinstance(got[0], StoreDown)
    assert got[1] == [b"PONG"]


@pytest.mark.redis
def test_loads_functions_again_when_they_are_gone(own_valkey: EmbeddedValkey, drive: Drive) -> None:
    driven = drive(own_valkey.url)
    driven.turn_until(driven.ready)
    assert driven.ask(("FUNCTION", "FLUSH")) == [b"OK"]
    call = ("FCALL", "plan_batch_v1", 2, "lease", "manifest", "nobody", "plan")
    assert isinstance(driven.ask(call), StoreDown)
    driven.turn_until(lambda: driven.link.idle)
    assert driven.ask(call) == [0]


@pytest.mark.redis
def test_says_that_the_password_is_wrong_and_tries_again(
    own_valkey: EmbeddedValkey, drive: Drive, caplog: pytest.LogCaptureFixture
) -> None:
    driven = drive(f"redis://:wrong@127.0.0.1:{own_valkey.port}")
    driven.turn_until(lambda: "WRONGPASS" in caplog.text)
    assert isinstance(driven.ask(("PING",)), StoreDown)
    assert "wrong@" not in caplog.text
    right = drive(own_valkey.url)
    right.turn_until(right.ready)
    assert right.ask(("CONFIG", "SET", "requirepass", "wrong")) == [b"OK"]
    driven.turn_until(driven.ready)


@pytest.mark.redis
def test_gives_up_on_a_store_that_hangs(own_valkey: EmbeddedValkey, drive: Drive) -> None:
    driven = drive(own_valkey.url, timeout_s=0.3)
    driven.turn_until(driven.ready)
    got: Replies = []
    driven.link.send([("DEBUG", "SLEEP", "1")], got.append, time.monotonic())
    driven.link.send([("CLIENT", "PAUSE", "1500", "ALL"), ("PING",)], got.append, time.monotonic())
    took_s = driven.turn_until(lambda: len(got) == 2)
    assert took_s < 0.9, "the store itself hangs for 1 s"
    assert isinstance(got[1], StoreDown)
    driven.turn_until(driven.ready, most_s=8)
    assert driven.ask(("PING",)) == [b"PONG"]


@pytest.mark.redis
def test_connects_again_after_a_kill(own_valkey: EmbeddedValkey, drive: Drive, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    driven = drive(own_valkey.url)
    driven.turn_until(driven.ready)
    own_valkey.kill()
    driven.turn_until(lambda: not driven.ready())
    assert isinstance(driven.ask(("PING",)), StoreDown)
    own_valkey.start()
    driven.turn_until(driven.ready)
    assert driven.ask(("PING",)) == [b"PONG"]
    assert caplog.text.count("live store lost") == 1
    assert caplog.text.count("live store reached") == 2


@pytest.mark.redis
def test_takes_the_next_address_when_one_does_not_answer(
    own_valkey: EmbeddedValkey, drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name may stand for ::1 and 127.0.0.1 while the store listens on one of them only."""
    nobody = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", free_port()))
    somebody = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", own_valkey.port))
    monkeypatch.setattr("tracker.redislink.socket.getaddrinfo", lambda *_, **__: [nobody, somebody])
    driven = drive(own_valkey.url)
    driven.turn_until(driven.ready)
    assert driven.ask(("PING",)) == [b"PONG"]


@pytest.mark.network
def test_name_that_nobody_has_is_tried_again(drive: Drive, caplog: pytest.LogCaptureFixture) -> None:
    driven = drive("redis://nowhere.invalid")
    assert "live store lost" in caplog.text
    assert isinstance(driven.ask(("PING",)), StoreDown)


@pytest.mark.network
def test_gives_up_on_what_does_not_speak_redis(drive: Drive, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        driven = drive(f"redis://127.0.0.1:{listener.getsockname()[1]}")
        driven.turn_until(lambda: driven.link._socket is not None)
        other, _ = listener.accept()
        with other:
            other.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            driven.turn_until(lambda: "live store lost" in caplog.text)
    assert not driven.ready()


@pytest.mark.redis
def test_a_master_that_becomes_a_replica_is_store_down(tmp_path: Path, drive: Drive) -> None:
    with pair(tmp_path) as (master, replica), Redis.from_url(master.url) as admin:
        driven = drive(master.url, timeout_s=3.0, wait_replicas=1)
        driven.turn_until(driven.ready)
        assert driven.ask(("SET", "{p0}:a", "1")) == [b"OK"]
        admin.replicaof("127.0.0.1", replica.port)
        assert isinstance(driven.ask(("SET", "{p0}:a", "2")), StoreDown)
        admin.replicaof("NO", "ONE")
        driven.turn_until(driven.ready)


@pytest.mark.redis
def test_a_full_store_can_still_be_waited_for(tmp_path: Path) -> None:
    with pair(tmp_path) as (master, _), Redis.from_url(master.url) as client:
        client.set("{p0}:a", "x" * 1_000_000)
        client.config_set("maxmemory", 1_000_000)
        with pytest.raises(OutOfMemoryError):
            client.set("{p0}:b", "1")
        wait_for_replicas(client, Settings(redis_wait_replicas=1), ["{p0}"])
        with pytest.raises(StoreDown, match="1 of 2"):
            wait_for_replicas(client, Settings(redis_wait_replicas=2, redis_timeout_s=0.2), ["{p0}"])


@pytest.mark.redis
def test_what_was_heard_before_a_link_closed_is_passed_over(valkey_url: str, drive: Drive) -> None:
    driven = drive(valkey_url)
    driven.turn_until(driven.ready)
    got: Replies = []
    driven.link.send([("PING",)], got.append, time.monotonic())
    driven.link.close()
    driven.link.on_event(selectors.EVENT_READ | selectors.EVENT_WRITE, time.monotonic())
    assert isinstance(got[0], StoreDown)


@pytest.mark.redis
def test_a_connection_that_was_given_up_is_made_again(valkey_url: str, drive: Drive) -> None:
    driven = drive(valkey_url)
    driven.turn_until(driven.ready)
    driven.link.lose("unforeseen", time.monotonic())
    assert not driven.ready()
    driven.turn_until(driven.ready)
