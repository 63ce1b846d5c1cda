"""HTTP as attackers and broken proxies speak it, to the collector as it runs: the answer, and that others are served."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import psutil
import pytest

from tests.support.collector import RunningCollector
from tests.support.wire import Wire, all_answers, batch, chunked, get, post

pytestmark = pytest.mark.redis

REQUEST_TIMEOUT_S = 1.5
MOST_GROWTH = 50_000_000  # bytes; what is asked for there is 100 million and more


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    running = RunningCollector(tmp_path_factory.mktemp("abuse"), {"BALIZA_REQUEST_TIMEOUT_S": str(REQUEST_TIMEOUT_S)})
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.close()


def worker_of(running: RunningCollector) -> psutil.Process:
    (worker,) = psutil.Process(running.process.pid).children()
    return worker


INNER = post(batch("smuggled"))
BODY = batch("outer")


def framed(*headers: str, body: bytes = BODY) -> bytes:
    """A POST with these headers about its length, as they stand, and another request behind it."""
    lines = ["POST /o HTTP/1.1", "Host: collector.test", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body + INNER


SMUGGLED = {
    "two lengths": framed(f"Content-Length: {len(BODY)}", f"Content-Length: {len(BODY) + len(INNER)}"),
    "the same length twice": framed(f"Content-Length: {len(BODY)}", f"Content-Length: {len(BODY)}"),
    "a list of lengths": framed(f"Content-Length: {len(BODY)}, {len(BODY)}"),
    "a length and chunks": framed(f"Content-Length: {len(BODY)}", "Transfer-Encoding: chunked"),
    "chunks and a length": framed("Transfer-Encoding: chunked", "Content-Length: 4", body=b"0\r\n\r\n"),
    "chunked, but not last": framed("Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "chunked, but not alone": framed("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "chunked by another name": framed("Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "chunked behind a control character": framed("Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "a length with a sign": framed(f"Content-Length: +{len(BODY)}"),
    "a length in hexadecimal": framed("Content-Length: 0x10"),
    "a blank before the colon": framed(f"Content-Length : {len(BODY)}"),
    "a folded length": framed(f"Content-Length:\r\n {len(BODY)}"),
    "a chunk size with a sign": framed("Transfer-Encoding: chunked", body=b"-1\r\n\r\n"),
    "a chunk size in 0x": framed("Transfer-Encoding: chunked", body=b"0x0\r\n\r\n"),
    "a chunk longer than it says": framed("Transfer-Encoding: chunked", body=b"1\r\nabc\r\n0\r\n\r\n"),
    "a NUL in a header": framed(f"Content-Length: {len(BODY)}", "X: a\x00b"),
    "a bare CR in a header": framed(f"Content-Length: {len(BODY)}", "X: a\rTransfer-Encoding: chunked"),
    "a header without colon": framed(f"Content-Length: {len(BODY)}", "Transfer-Encoding chunked"),
    "two hosts": framed(f"Content-Length: {len(BODY)}", "Host: other.test"),
    "lines that end in a bare LF": framed(f"Content-Length: {len(BODY)}").replace(b"\r\n", b"\n"),
}


@pytest.mark.parametrize("name", list(SMUGGLED))
def test_in_doubt_about_where_a_request_ends_it_is_refused_and_nothing_behind_it_is_read(
    target: RunningCollector, name: str
) -> None:
    with Wire(target.url) as wire, Wire(target.url) as other:
        answers = all_answers(wire.send(SMUGGLED[name]).rest())
        assert [answer.status for answer in answers] == [400]
        assert answers[0].headers["connection"] == "close"
        assert other.ask(post(batch(f"beside {name}"))).status == 202
    assert "smuggled" not in target.taken()
    assert "outer" not in target.taken()


NO_HTTP = {
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(range(190)),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a proxy's preamble": b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n" + get("/health"),
    "CONNECT": b"CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    "HTTP/3.0": get("/health", version="3.0"),
    "a bare LF": b"GET /health HTTP/1.1\nHost: a\n\n",
}


@pytest.mark.parametrize("name", list(NO_HTTP))
def test_another_protocol_is_told_so_and_closed(target: RunningCollector, name: str) -> None:
    with Wire(target.url) as wire:
        (answer,) = all_answers(wire.send(NO_HTTP[name]).rest())
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")


def test_what_is_unusual_and_clear_is_served(target: RunningCollector) -> None:
    extended = chunked(batch("extended")).replace(b"\r\n{", b';name="v;a\\"lue";other\r\n{', 1)
    trailed = chunked(batch("trailed"))[:-2] + b"Digest: sha-256=x\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n"
    with Wire(target.url) as wire:
        assert wire.ask(extended).status == 202
        assert wire.ask(trailed).status == 202
        assert wire.ask(post(batch("upgrade"), "Connection: Upgrade", "Upgrade: websocket")).status == 202
        assert wire.ask(post(batch("unheard"), "Expect: a-miracle")).status == 202
        assert wire.ask(post(batch("underscore"), "Content_Length: 3", "Transfer_Encoding: chunked")).status == 202
        assert wire.ask(b"\r\n\r\n" + post(batch("blank-lines"))).status == 202
        assert wire.ask(post(batch("old"), version="1.0")).headers["connection"] == "close"
        assert wire.rest() == b""
    expected = {"extended", "trailed", "upgrade", "unheard", "underscore", "blank-lines", "old"}
    assert expected <= target.taken()


def test_ten_thousand_tiny_requests_at_once_are_bounded(target: RunningCollector) -> None:
    """As many as may wait are answered, in order; the others are refused with one answer, and not carried out."""
    before = worker_of(target).memory_info().rss
    with Wire(target.url) as wire, Wire(target.url) as other:
        sender = threading.Thread(target=send_all, args=(wire, get("/health?x") * 10_000))
        sender.start()
        for number in range(20):
            assert other.ask(post(batch(f"beside-pipeline-{number}"))).status == 202
        statuses = [answer.status for answer in all_answers(wire.rest())]
        sender.join()
    assert (statuses[:-1], statuses[-1]) == ([200] * (len(statuses) - 1), 400)
    assert len(statuses) < 2000
    assert worker_of(target).memory_info().rss - before < MOST_GROWTH


def send_all(wire: Wire, data: bytes) -> None:
    with suppress(OSError):  # refused, and closed in the middle of it
        wire.send(data)


def test_many_who_dribble_their_requests_delay_nobody(target: RunningCollector) -> None:
    """Half of them never finish the head, half never the body; each is told that it is too slow."""
    whole = post(batch("dribbled"))
    body_at = whole.index(b"\r\n\r\n") + 4
    before, worst = worker_of(target).memory_info().rss, 0.0
    with ExitStack() as stack:
        slow = [stack.enter_context(Wire(target.url)) for _ in range(100)]
        for number, wire in enumerate(slow):
            wire.send(whole[: 20 if number % 2 else body_at + 10])
        other = stack.enter_context(Wire(target.url))
        for step in range(40):
            for wire in slow:
                if step < 4:
                    wire.send(whole[20 + step : 21 + step] if step % 2 else b"x")
            began = time.monotonic()
            assert other.ask(post(batch(f"beside-slow-{step}"))).status == 202
            worst = max(worst, time.monotonic() - began)
        ends = [all_answers(wire.rest())[-1].status for wire in slow]
    assert set(ends) <= {408, 400}
    assert ends.count(408) >= 50
    assert worst < REQUEST_TIMEOUT_S, "nobody waited for a slow one's time-out"
    assert worker_of(target).memory_info().rss - before < MOST_GROWTH
    assert "dribbled" not in target.taken()


def test_many_who_do_not_read_their_answers_delay_nobody(target: RunningCollector) -> None:
    before = worker_of(target).memory_info().rss
    with ExitStack() as stack:
        greedy = [stack.enter_context(Wire(target.url)) for _ in range(60)]
        for wire in greedy:
            wire.send(get("/openapi.json") * 16)
        other = stack.enter_context(Wire(target.url))
        for number in range(50):
            assert other.ask(post(batch(f"beside-greedy-{number}"))).status == 202
        assert worker_of(target).memory_info().rss - before < MOST_GROWTH
        # Who reads in the end finds all of it, in order and whole.
        assert [greedy[0].answer().status for _ in range(16)] == [200] * 16
