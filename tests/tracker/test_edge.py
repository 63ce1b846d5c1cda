"""The edge worker's process as clients find it. Troubles of its live store: test_edge_store; signals: test_edge_signals."""

import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psutil
import pytest

from schema import keys
from schema.events import MAX_BODY_BYTES, MAX_FEED_BYTES
from schema.profile import decode_profile
from tests.support.collecting import event
from tests.support.collector import PARTITIONS, RunningCollector
from tests.support.wire import Wire, all_answers, batch, chunked, get, post
from tracker.rows import opened

pytestmark = pytest.mark.redis

KNOWN = [
    event("page_view", datetime.now(UTC), event_id="1", page={"url": "http://shop.test/p", "referrer": "http://a.test/"}),
    event("view_item", datetime.now(UTC), event_id="2", items=[("LAMP", "Light", "39.90")], customer_id="anna"),
    event("add_to_cart", datetime.now(UTC), event_id="3", items=[("LAMP", "Light", "39.90", 2)], customer_id="anna"),
]
REQUEST_TIMEOUT_S = 1.0
MAX_CONNECTIONS = 60


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    """An edge worker with little patience and few connections, and odd_apps behind it."""
    extra = {
        "BALIZA_REQUEST_TIMEOUT_S": str(REQUEST_TIMEOUT_S),
        "BALIZA_MAX_CONNECTIONS": str(MAX_CONNECTIONS),
        "BALIZA_WSGI_THREADS": "4",
    }
    running = RunningCollector(tmp_path_factory.mktemp("odd"), extra, "tests.support.odd_apps")
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.close()


def test_first_request_after_the_start_is_answered(tmp_path_factory: pytest.TempPathFactory) -> None:
    running = RunningCollector(tmp_path_factory.mktemp("first"))
    try:
        running.wait_until_listening()
        with Wire(running.url) as wire:
            assert wire.ask(post(batch("first"))).status == 202
        assert running.taken() == {"first"}
    finally:
        running.close()


def test_keeps_connection_for_many_requests(collector: RunningCollector) -> None:
    with Wire(collector.url) as wire:
        assert [wire.ask(post(batch(f"keep-{number}"))).status for number in range(20)] == [202] * 20
    assert {f"keep-{number}" for number in range(20)} <= collector.taken()


def test_a_request_like_one_before_is_recorded_as_the_first_was(collector: RunningCollector) -> None:
    """The second finds its head known, and goes the quick way; only whose it is differs."""
    stored, entries, answers = [], [], []
    with Wire(collector.url) as wire:
        for visitor in ("known-1", "known-2"):
            body = {"key": "pk_demo", "visitor": visitor, "events": KNOWN}
            answers.append(wire.ask(post(json.dumps(body).encode(), "Origin: http://shop.test", "Cookie: a=known")))
    for visitor in ("known-1", "known-2"):
        partition = keys.partition_of(visitor, PARTITIONS)
        found = collector.redis.get(keys.visitor(partition, "demo", visitor))
        assert found is not None
        stored.append(decode_profile(found))
        read = [opened(entry) for _, entry in collector.redis.xrange(keys.events(partition))]
        entries.append([row for rows in read for row in rows if row[2].visitor_id == visitor])
    assert [answer.status for answer in answers] == [202, 202]
    assert answers[0].headers == answers[1].headers
    assert stored[0].session is not None
    assert stored[1].session is not None
    stored[0].session.session_id = stored[1].session.session_id
    assert stored[0] == stored[1]
    (first, second) = [[(event, outcome.number, outcome.cart_micros) for event, outcome, _ in rows] for rows in entries]
    assert first == second
    assert len(first) == 3


def test_answers_pipelined_batches_in_order(collector: RunningCollector) -> None:
    requests = [post(batch(f"pipe-{n}")) if n % 2 else get(f"/health?{n}") for n in range(32)]
    with Wire(collector.url) as wire:
        wire.send(b"".join(requests))
        assert [wire.answer().status for _ in requests] == [202 if n % 2 else 200 for n in range(32)]


def test_takes_chunked_body(collector: RunningCollector) -> None:
    body = batch("chunked")
    with Wire(collector.url) as wire:
        assert wire.ask(chunked(body[:10], body[10:11], body[11:])).status == 202
    assert "chunked" in collector.taken()


def test_body_may_come_byte_by_byte(collector: RunningCollector) -> None:
    with Wire(collector.url) as wire:
        for byte in post(batch("bytes")):
            wire.send(bytes([byte]))
        assert wire.answer().status == 202


@pytest.mark.parametrize("length", [MAX_BODY_BYTES + 1, 50_000_000])
def test_too_large_is_told_to_a_client_that_still_sends(collector: RunningCollector, length: int) -> None:
    with Wire(collector.url) as wire:
        wire.send(f"POST /o HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        for _ in range(min(length, 4_000_000) // 50_000):
            wire.send(b"x" * 50_000)
        answer = wire.answer()
    assert answer.status == 413
    assert b"expected a body of at most 524288 bytes" in answer.body


def test_too_large_in_chunks_is_told(collector: RunningCollector) -> None:
    with Wire(collector.url) as wire:
        assert wire.ask(chunked(*[b"x" * 10_000] * 60)).status == 413


def feed(length: int, *headers: str, target: str = "/v1/catalogue?dry_run=1") -> bytes:
    lines = [f"PUT {target} HTTP/1.1", "Host: x", f"Content-Length: {length}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_a_feed_may_be_larger_with_the_secret_key(collector: RunningCollector) -> None:
    length = 4 * MAX_BODY_BYTES
    with Wire(collector.url) as wire:
        wire.send(feed(length, "Authorization: Bearer sk_demo"))
        for _ in range(length // 65_536):
            wire.send(b"x" * 65_536)
        assert wire.answer().status == 404, "it went through to the applications, of which this collector has no such one"
        assert wire.ask(post(batch("after a feed"))).status == 202
    parts = [f"{65_536:x}\r\n".encode() + b"x" * 65_536 + b"\r\n"] * (length // 65_536)
    with Wire(collector.url) as wire:
        head = feed(0, "Authorization: Bearer sk_demo").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        for part in (head, *parts, b"0\r\n\r\n"):
            wire.send(part)
        assert wire.answer().status == 404


@pytest.mark.parametrize(
    "head",
    [
        feed(MAX_BODY_BYTES + 1), feed(MAX_BODY_BYTES + 1, "Authorization: Bearer sk_other"),
        feed(MAX_BODY_BYTES + 1, "Authorization: Bearer pk_demo"),
        feed(MAX_BODY_BYTES + 1, "Authorization: Bearer sk_demo", target="/o"),
        feed(MAX_BODY_BYTES + 1, "Authorization: Bearer sk_demo", target="/v1/catalogues"),
        feed(MAX_FEED_BYTES + 1, "Authorization: Bearer sk_demo"),
    ],
)  # fmt: skip
def test_nothing_else_may_be_larger_than_a_batch(collector: RunningCollector, head: bytes) -> None:
    with Wire(collector.url) as wire:
        assert wire.ask(head).status == 413


def test_pixel_for_head_is_announced_only(collector: RunningCollector) -> None:
    with Wire(collector.url) as wire:
        answer = wire.ask(get("/o.gif?key=pk_demo&visitor=v-head", method="HEAD"), of_head=True)
        assert (answer.status, answer.headers["content-length"]) == (200, "43")
        assert wire.ask(get("/health", method="HEAD"), of_head=True).headers["content-length"] != "0"
        assert wire.ask(get("/health")).status == 200, "nothing followed the heads"


def test_bad_methods_are_told(collector: RunningCollector) -> None:
    with Wire(collector.url) as wire:
        assert wire.ask(get("/o", method="DELETE")).status == 405
        assert wire.ask(get("/o.gif", method="PUT")).status == 405
        assert wire.ask(get("/health", method="DELETE")).status == 405
        assert wire.ask(get("/o", method="NONSENSE")).status == 400


def test_absolute_target_reaches_the_hot_path(collector: RunningCollector) -> None:
    with Wire(collector.url) as wire:
        assert wire.ask(post(batch("absolute"), target="http://collector.test/o")).status == 202


def test_offer_of_http_2_is_ignored(collector: RunningCollector) -> None:
    with Wire(collector.url) as wire:
        offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
        assert wire.ask(post(batch("h2c"), *offer)).status == 202
        assert wire.ask(post(batch("h2c-next"))).status == 202
    assert {"h2c", "h2c-next"} <= collector.taken()


def test_half_closed_client_gets_its_answer(collector: RunningCollector) -> None:
    with Wire(collector.url) as wire:
        wire.send(post(batch("half")))
        wire.sock.shutdown(socket.SHUT_WR)
        assert wire.answer().status == 202
        assert wire.rest() == b""


def test_clients_that_vanish_harm_nobody(collector: RunningCollector) -> None:
    with Wire(collector.url) as other:
        for number in range(50):
            with Wire(collector.url) as wire:
                wire.send(post(batch(f"gone-{number}"))[: 100 + number])
                wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # a reset, no goodbye
        assert other.ask(post(batch("still-here"))).status == 202


def test_client_that_never_reads_costs_little(odd: RunningCollector) -> None:
    worker = psutil.Process(odd.process.pid).children()[0]
    with Wire(odd.url) as wire:
        assert wire.ask(get("/large/1000000")).status == 200
        before = worker.memory_info().rss
        for _ in range(100):
            wire.send(get("/large/1000000") * 8)
            time.sleep(0.003)
        assert worker.memory_info().rss - before < 40_000_000
    assert odd.post({}) == 400


def test_slow_client_gets_408_and_others_are_unharmed(odd: RunningCollector) -> None:
    with Wire(odd.url) as slow, Wire(odd.url) as other:
        began = time.monotonic()
        head = iter(post(batch("slow")))
        slow.sock.settimeout(0.02)
        answers = 0
        while True:
            try:
                slow.send(bytes([next(head)]))
                data = slow.sock.recv(4096)
                break
            except TimeoutError:
                assert other.ask(post(batch(f"meanwhile-{answers}"))).status == 202
                answers += 1
        assert all_answers(data)[0].status == 408
        assert REQUEST_TIMEOUT_S <= time.monotonic() - began < REQUEST_TIMEOUT_S + 1
        assert answers > 10


@pytest.mark.alone
def test_slow_application_does_not_delay_the_beacon(odd: RunningCollector) -> None:
    with Wire(odd.url) as slow, Wire(odd.url) as quick:
        slow.send(get("/slow/2.0"))
        began = time.monotonic()
        for number in range(50):
            assert quick.ask(post(batch(f"quick-{number}"))).status == 202
        assert time.monotonic() - began < 1.8
        assert slow.answer().body == b"/slow/2.0"


def test_application_that_fails_is_a_500_and_nothing_else(odd: RunningCollector) -> None:
    with Wire(odd.url) as wire:
        assert wire.ask(get("/raise")).status == 500
        assert wire.ask(get("/status/299%20Fine")).status == 299
        assert wire.ask(get("/status/nonsense")).status == 500
        assert wire.ask(post(batch("after-failure"))).status == 202


@pytest.mark.long
def test_too_many_waiting_requests_are_told_to_come_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    running = RunningCollector(tmp_path_factory.mktemp("many"), {"BALIZA_WSGI_THREADS": "8"}, "tests.support.odd_apps")
    wires = []
    try:
        running.wait_until_ready()
        wires = [Wire(running.url).send(get("/slow/0.05")) for _ in range(280)]
        answers = [wire.answer() for wire in wires]
        refused = [answer for answer in answers if answer.status == 503]
        assert 1 <= len(refused) <= 280 - 256
        assert {answer.headers["retry-after"] for answer in refused} == {"2"}
        assert running.send() == 400
    finally:
        for wire in wires:
            wire.sock.close()
        running.close()


def test_silent_connections_make_room_for_new_ones(odd: RunningCollector) -> None:
    wires = []
    try:
        for _ in range(MAX_CONNECTIONS + 20):
            wires.append(Wire(odd.url))
        began = time.monotonic()
        with Wire(odd.url) as late:
            assert late.ask(post(batch("late"))).status == 202
        assert time.monotonic() - began < REQUEST_TIMEOUT_S + 2
    finally:
        for wire in wires:
            wire.sock.close()


def test_worker_out_of_files_waits_without_turning(odd: RunningCollector) -> None:
    worker = psutil.Process(odd.process.pid).children()[0]
    before = resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)
    with Wire(odd.url) as first:
        assert first.ask(post(batch("in-time"))).status == 202
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (worker.num_fds() + 2, before[1]))
        wires = [Wire(odd.url) for _ in range(12)]
        try:
            cpu_before = sum(worker.cpu_times()[:2])
            time.sleep(0.7)
            assert sum(worker.cpu_times()[:2]) - cpu_before < 0.3
            assert first.ask(post(batch("still-served"))).status == 202
            resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, before)
            assert wires[-1].ask(post(batch("taken-in"))).status == 202
        finally:
            resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, before)
            for wire in wires:
                wire.sock.close()
    assert "cannot accept connections: [Errno 24]" in odd.log.read_text()


@pytest.mark.alone
def test_two_thousand_idle_connections_disturb_nobody(collector: RunningCollector) -> None:
    wires: list[Wire] = []
    try:
        wires.extend(Wire(collector.url) for _ in range(1990))
        with Wire(collector.url) as wire:
            began = time.monotonic()
            for number in range(50):
                assert wire.ask(post(batch(f"crowd-{number}"))).status == 202
            assert time.monotonic() - began < 1.0
        wires.extend(Wire(collector.url) for _ in range(60))
        with Wire(collector.url) as wire:
            assert wire.ask(post(batch("crowd-last"))).status == 202
    finally:
        for wire in wires:
            wire.sock.close()


@pytest.mark.alone
def test_new_site_is_known_within_two_seconds(collector: RunningCollector) -> None:
    collector.add_site("other", ["http://other.test"], "pk_other", "sk_other")
    began = time.monotonic()
    body = batch("other-1").replace(b"pk_demo", b"pk_other")
    with Wire(collector.url) as wire:
        while wire.ask(post(body)).status != 202:
            assert time.monotonic() - began < 2.0
            time.sleep(0.02)


def test_site_that_cannot_be_read_leaves_the_known_ones(collector: RunningCollector) -> None:
    collector.redis.hset("baliza:sites", "broken", b"{nonsense")
    try:
        threading.Event().wait(2.0)
        assert collector.send() == 400
        assert collector.process.poll() is None
        with Wire(collector.url) as wire:
            assert wire.ask(post(batch("after-broken-site"))).status == 202
        assert "cannot read the sites" in collector.log.read_text()
    finally:
        collector.redis.hdel("baliza:sites", "broken")
