import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.events import MAX_BODY_BYTES
from tests.support.ends import TIMEOUT_S, Ends
from tests.support.wire import all_answers, chunked, get, post, split_answer
from tracker.connection import KEEP_ALIVE_S, LINGER_S, MAX_HEAD_BYTES, MAX_PIPELINED, MAX_UNREAD_BYTES, Connection
from tracker.request import Request


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


@pytest.fixture
def slow_ends() -> Iterator[Ends]:
    """Answers only when told to."""
    made = Ends(at_once=False)
    yield made
    made.close()


def test_keeps_connection_alive(ends: Ends) -> None:
    for number in range(3):
        ends.send(post(b"x" * number))
        (answer,) = all_answers(ends.received())
        assert answer.body == b"POST /o %d" % number
        assert "connection" not in answer.headers
    assert ends.connection.idle


def test_answers_pipelined_requests_in_order(slow_ends: Ends) -> None:
    slow_ends.send(b"".join(get(f"/{number}") for number in range(MAX_PIPELINED)))
    assert len(slow_ends.requests) == 1, "one request at a time"
    for number in range(MAX_PIPELINED):
        slow_ends.answer(slow_ends.requests[number])
    bodies = [answer.body for answer in all_answers(slow_ends.received())]
    assert bodies == [b"GET /%d 0" % number for number in range(MAX_PIPELINED)]


def test_refuses_more_pipelined_requests_than_it_holds(slow_ends: Ends) -> None:
    slow_ends.send(b"".join(get(f"/{number}") for number in range(MAX_PIPELINED + 5)))
    for number in range(MAX_PIPELINED + 1):
        slow_ends.answer(slow_ends.requests[number])
    assert slow_ends.statuses() == [200] * (MAX_PIPELINED + 1) + [400]


def test_body_may_be_split_anywhere(ends: Ends) -> None:
    whole = post(b"abc", "X-A: b") + chunked(b"de", b"fgh")
    ends.send(whole)
    wanted = ends.received()
    assert len(all_answers(wanted)) == 2
    for place in range(1, len(whole)):
        ends.send(whole[:place])
        ends.send(whole[place:])
        assert ends.received() == wanted, f"split at {place}"


REQUESTS = st.one_of(
    st.binary(max_size=300).map(post),
    st.lists(st.binary(min_size=1, max_size=60), max_size=5).map(lambda parts: chunked(*parts)),
    st.text(alphabet="abc/?&=%20", max_size=40).map(lambda path: get(f"/{path}")),
    st.just(get("/h", "Upgrade: h2c", "Connection: Upgrade")),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=8), st.data())
def test_any_split_gets_the_same_answers(requests: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(requests)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    unsplit, split = Ends(), Ends()
    try:
        unsplit.send(whole)
        for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            split.send(whole[start:end])
        wanted = unsplit.received()
        assert len(all_answers(wanted)) == len(requests)
        assert split.received() == wanted
        assert split.requests == unsplit.requests
    finally:
        unsplit.close()
        split.close()


def test_joins_headers_given_twice(ends: Ends) -> None:
    ends.send(get("/", "X-Forwarded-For: 192.0.2.1", "Cookie: a=1", "x-forwarded-for: 192.0.2.2", "Cookie: b=2"))
    assert ends.requests[0].header("x-forwarded-for") == "192.0.2.1, 192.0.2.2"
    assert ends.requests[0].header("cookie") == "a=1; b=2"


def test_blanks_around_a_value_are_no_part_of_it(ends: Ends) -> None:
    ends.send(get("/", "Sec-GPC: \t 1 \t ", "X-Empty:  "))
    assert (ends.requests[0].header("sec-gpc"), ends.requests[0].header("x-empty")) == ("1", "")


def test_refuses_announced_large_body_before_it_comes(ends: Ends) -> None:
    ends.send(post(b"")[:-4].replace(b"Content-Length: 0", b"Content-Length: %d" % (MAX_BODY_BYTES + 1)) + b"\r\n\r\n")
    assert ends.statuses() == [413]
    assert ends.requests == []


def test_pages_of_other_origins_can_read_that_it_is_too_large(ends: Ends) -> None:
    length = b"Origin: https://shop.example\r\nContent-Length: %d" % (MAX_BODY_BYTES + 1)
    ends.send(post(b"")[:-4].replace(b"Content-Length: 0", length) + b"\r\n\r\n")
    assert b"Access-Control-Allow-Origin: https://shop.example\r\n" in ends.received()


def test_takes_body_of_exactly_the_limit(ends: Ends) -> None:
    ends.send(post(b"x" * MAX_BODY_BYTES))
    assert ends.statuses() == [200]


def test_refuses_large_chunked_body(ends: Ends) -> None:
    ends.send(chunked(*[b"x" * 65_536] * 9))
    (answer,) = all_answers(ends.received())
    assert answer.status == 413
    assert b"expected a body of at most 524288 bytes, got more" in answer.body


@pytest.mark.parametrize(
    "head",
    [
        get("/", "X-Long: " + "x" * MAX_HEAD_BYTES),
        get("/" + "x" * MAX_HEAD_BYTES),
        get("/", *[f"X-{number}: {'x' * 400}" for number in range(60)]),
        get("/", *["X-Same: " + "x" * 400] * 60),
    ],
    ids=["one header", "target", "many headers", "the same header again"],
)
def test_refuses_large_head_however_it_arrives(head: bytes) -> None:
    for step in (len(head), 1000, 7):
        ends = Ends()
        for start in range(0, len(head), step):
            ends.client.sendall(head[start : start + step])
            ends.turn()
            if ends.connection._failed:
                break
        assert ends.statuses() == [413], f"in steps of {step}"
        assert ends.requests == []
        ends.close()


def test_refuses_endless_head_behind_a_good_request(ends: Ends) -> None:
    ends.send(get("/first") + b"GET / HTTP/1.1\r\nX-Long: ")
    for _ in range(20):
        ends.send(b"x" * 1000)
    assert ends.statuses() == [200, 413]


def test_small_unfinished_head_behind_large_requests_is_no_large_head(ends: Ends) -> None:
    ends.send(post(b"x" * 30_000) + b"GET /next HTTP/1.1\r\nX-A: ")
    ends.send(b"1\r\n\r\n")
    assert ends.statuses() == [200, 200]


@pytest.mark.parametrize("trailer", [b"X-%d: " + b"x" * 400 + b"\r\n", b"x" * 65_536], ids=["many", "one without end"])
def test_refuses_endless_trailers(ends: Ends, trailer: bytes) -> None:
    ends.send(chunked(b"body").removesuffix(b"\r\n"))
    for number in range(50):
        ends.send(trailer.replace(b"%d", b"%d" % number))
    assert ends.statuses() == [413]
    assert ends.requests == []


def test_a_trailer_is_no_header(ends: Ends) -> None:
    ends.send(
        chunked(b"body").removesuffix(b"\r\n") + b"Authorization: Bearer sk_demo\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
    )
    assert ends.statuses() == [200]
    assert not {"authorization", "x-forwarded-for"} & ends.requests[0].headers.keys()


def test_takes_a_body_in_small_chunks(ends: Ends) -> None:
    ends.send(chunked(*[b"xxxx"] * 25_000))
    assert ends.statuses() == [200]
    assert len(ends.requests[0].body) == 100_000


def test_refuses_too_many_headers(ends: Ends) -> None:
    ends.send(get("/", *[f"X-{number}: 1" for number in range(101)]))
    assert ends.statuses() == [413]


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02 nonsense\r\n\r\n",
        b"BREW /o HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /o HTTP/9.9\r\nHost: x\r\n\r\n",
        get("/", "X-Nul: a\x00b"),
        b"GET / HTTP/1.1\r\nX Y: 1\r\n\r\n",
        get("/", "Host: other.test"),
        post(b"abc", "Content-Length: 4"),
        post(b"abc", "Transfer-Encoding: chunked"),
        post(b"").replace(b"Content-Length: 0", b"Content-Length: -1"),
        post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked, identity"),
        chunked(b"abc").replace(b"chunked", b"gzip, chunked"),
        chunked(b"abc").replace(b"3\r\n", b"zz\r\n"),
        b"CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=[
        "binary", "unknown method", "unknown version", "NUL in header", "space in header name", "two hosts", "two lengths",
        "length and chunks", "negative length", "not chunked last", "not only chunked", "chunk size", "CONNECT", "HTTP/2",
    ],
)  # fmt: skip
def test_refuses_what_is_no_request_and_closes(ends: Ends, data: bytes) -> None:
    ends.send(data)
    (answer,) = all_answers(ends.received())
    assert answer.status == 400
    assert answer.headers["connection"] == "close"
    assert ends.requests == []


def test_folded_header_is_refused_or_one_value(ends: Ends) -> None:
    ends.send(get("/", "X-Folded: a\r\n b"))
    statuses = ends.statuses()
    assert statuses == [400] or (statuses == [200] and "\n" not in ends.requests[0].header("x-folded"))


def test_answers_good_requests_before_the_bad_one(slow_ends: Ends) -> None:
    slow_ends.send(get("/good") + b"nonsense\r\n\r\n")
    slow_ends.answer(slow_ends.requests[0])
    assert slow_ends.statuses() == [200, 400]


@pytest.mark.parametrize(
    ("data", "connection", "closed"),
    [
        (get("/", version="1.0"), "close", True),
        (get("/", "Connection: keep-alive", version="1.0"), "keep-alive", False),
        (get("/", "Connection: close"), "close", True),
        (get("/", "Connection: keep-alive"), "keep-alive", False),
        (get("/"), None, False),
    ],
)
def test_closes_as_agreed(ends: Ends, data: bytes, connection: str | None, closed: bool) -> None:
    ends.send(data)
    (answer,) = all_answers(ends.received())
    assert answer.headers.get("connection") == connection
    assert ends.connection.closed == closed
    assert (ends.forgotten == [ends.connection]) == closed


def test_head_gets_length_without_body(ends: Ends) -> None:
    ends.send(get("/o.gif", method="HEAD") + get("/next"))
    split = split_answer(ends.received(), of_head=True)
    assert split
    assert split[0].headers["content-length"] == str(len("HEAD /o.gif 0"))
    assert all_answers(split[1])[0].body == b"GET /next 0"


def test_tells_the_waiting_client_to_go_on(ends: Ends) -> None:
    head, _, body = post(b"abc", "Expect: 100-continue").partition(b"\r\n\r\n")
    ends.send(head + b"\r\n\r\n")
    assert ends.received() == b"HTTP/1.1 100 Continue\r\n\r\n"
    ends.send(body)
    assert ends.statuses() == [200]


def test_does_not_tell_old_or_refused_clients_to_go_on(ends: Ends) -> None:
    ends.send(post(b"", "Expect: 100-continue", version="1.0"))
    assert ends.statuses() == [200]
    other = Ends()
    other.send(post(b"", "Expect: 100-continue").replace(b"Content-Length: 0", b"Content-Length: 999999"))
    assert other.statuses() == [413]
    other.close()


def test_upgrade_is_ignored(ends: Ends) -> None:
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    ends.send(post(b"hello", *offer) + get("/ws", "Connection: Upgrade", "Upgrade: websocket") + get("/next"))
    bodies = [answer.body for answer in all_answers(ends.received())]
    assert bodies == [b"POST /o 5", b"GET /ws 0", b"GET /next 0"]
    assert ends.requests[0].body == b"hello"


def test_absolute_target_is_a_path(ends: Ends) -> None:
    ends.send(post(b"", target="http://collector.test/o") + get("http://collector.test?a=1"))
    assert [request.path for request in ends.requests] == ["/o", "/"]


def test_half_closed_client_gets_its_answer(slow_ends: Ends) -> None:
    slow_ends.send(get("/"))
    slow_ends.client.shutdown(socket.SHUT_WR)
    slow_ends.turn()
    assert not slow_ends.connection.closed
    slow_ends.answer(slow_ends.requests[0])
    assert slow_ends.statuses() == [200]
    assert slow_ends.connection.closed


def test_client_that_vanished_is_forgotten(slow_ends: Ends) -> None:
    slow_ends.send(get("/"))
    slow_ends.client.close()
    slow_ends.turn()
    slow_ends.answer(slow_ends.requests[0], padding=500_000)
    slow_ends.turn()
    assert slow_ends.forgotten == [slow_ends.connection]


def test_client_that_vanishes_in_a_request_is_forgotten(ends: Ends) -> None:
    ends.send(post(b"abcdef")[:-3])
    ends.client.close()
    ends.turn()
    assert ends.forgotten == [ends.connection]
    assert ends.requests == []


def test_asks_nothing_more_of_one_who_does_not_read(slow_ends: Ends) -> None:
    def answer_largely(_connection: Connection, request: Request) -> None:
        slow_ends.requests.append(request)
        slow_ends.answer(request, padding=100_000)

    slow_ends.connection._handle = answer_largely
    for _ in range(4):
        slow_ends.send(get("/big") * 8)
    asked = len(slow_ends.requests)
    assert asked < 32, "the socket holds some of the answers"
    assert len(slow_ends.connection._out) < MAX_UNREAD_BYTES + 2 * 100_000
    assert len(slow_ends.received()) > 32 * 100_000
    assert len(slow_ends.requests) == 32, "goes on when the client reads"


def test_reads_no_more_while_large_requests_wait(slow_ends: Ends) -> None:
    slow_ends.client.setblocking(False)
    left = post(b"x" * 400_000) * 8
    try:
        while left:
            left = left[slow_ends.client.send(left[:32_768]) :]
            slow_ends.turn()
    except BlockingIOError:
        pass
    waiting = sum(len(request.body) for request, _ in slow_ends.connection._queue)
    assert MAX_BODY_BYTES < waiting < 3 * MAX_BODY_BYTES
    slow_ends.client.settimeout(2)
    for served in range(8):
        slow_ends.answer(slow_ends.requests[served])
        slow_ends.turn()
        while left and len(slow_ends.requests) <= served + 1:
            left = left[slow_ends.client.send(left[:32_768]) :]
            slow_ends.turn()
    assert slow_ends.statuses() == [200] * 8


def test_slow_client_is_told_so(ends: Ends) -> None:
    ends.send(b"GET / HT")
    ends.now += TIMEOUT_S - 1
    ends.send(b"TP/1.1\r\n")
    assert ends.connection.deadline == 100.0 + TIMEOUT_S, "more bytes give no more time"
    ends.connection.expire()
    assert ends.statuses() == [408]
    assert ends.connection.closed


def test_slow_client_behind_a_good_request_is_told_so(ends: Ends) -> None:
    ends.send(get("/") + b"GET /second HT")
    assert not ends.connection.idle
    ends.connection.expire()
    assert ends.statuses() == [200, 408]


def test_silent_client_is_closed_without_a_word(ends: Ends) -> None:
    ends.send(get("/"))
    assert ends.connection.deadline == ends.now + KEEP_ALIVE_S
    ends.received()
    ends.connection.expire()
    assert ends.received() == b""
    assert ends.connection.closed


def test_refused_client_may_end_its_sending(ends: Ends) -> None:
    ends.send(b"POST /o HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n")
    for _ in range(100):
        ends.send(b"x" * 10_000)
    assert not ends.connection.closed
    assert ends.connection.deadline <= ends.now + LINGER_S
    assert ends.statuses() == [413]
    ends.client.close()
    ends.turn()
    assert ends.connection.closed


def test_leaving_connection_closes_with_its_last_answer(slow_ends: Ends) -> None:
    slow_ends.send(get("/1") + get("/2"))
    slow_ends.connection.leaving = True
    slow_ends.answer(slow_ends.requests[0])
    slow_ends.answer(slow_ends.requests[1])
    first, second = all_answers(slow_ends.received())
    assert "connection" not in first.headers
    assert second.headers["connection"] == "close"
    assert slow_ends.connection.closed
