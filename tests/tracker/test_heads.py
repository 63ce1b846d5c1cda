"""Heads that were read before are found again, and only they."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.ends import Ends
from tests.support.wire import chunked, post
from tests.tracker.test_connection_and_h11 import ODD, SOUND
from tracker.heads import HEAD_MOST_BYTES, Heads, split

BODY = b'{"events":[]}'
LIKE = post(BODY, "Origin: http://shop.test", "Cookie: bz_v=1")


def exchange(heads: Heads, data: bytes) -> tuple[list[object], bytes, bool]:
    """The requests of a new connection that was sent this, its answers, and whether it is over."""
    ends = Ends(heads=heads)
    try:
        ends.client.sendall(data)
        ends.turn()
        return list(ends.requests), ends.received(), ends.connection.closed
    finally:
        ends.close()


@given(st.one_of(ODD, SOUND, st.tuples(SOUND, SOUND).map(b"".join), st.tuples(SOUND, ODD).map(b"".join)))
@example(LIKE)
@example(post(b"abc", "Content-Length: 3"))
@example(post(b"abc\n\nabc").replace(b"Host: collector.test\r\n", b"Host: collector.test\r\nX: 1\n\n"))
@example(post(b"", "Connection: close"))
@example(post(b"", version="1.0"))
def test_what_is_looked_up_is_what_the_parser_found(data: bytes) -> None:
    heads = Heads()
    parsed, again = exchange(heads, data), exchange(heads, data)
    assert again == parsed


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_head_is_known_whatever_the_body(first: bytes, second: bytes) -> None:
    ends = Ends(heads=Heads())
    try:
        for body in (first, second):
            ends.send(post(body, "Cookie: bz_v=1"))
        assert [request.body for request in ends.requests] == [first, second]
        assert ends.requests[0].head is ends.requests[1].head is not None
        assert ends.requests[0].headers == ends.requests[1].headers
        assert ends.statuses() == [200, 200]
    finally:
        ends.close()


def test_a_known_request_between_unknown_ones_is_answered_in_its_turn() -> None:
    ends = Ends(heads=Heads())
    try:
        ends.send(LIKE)
        ends.send(LIKE)
        ends.send(LIKE + LIKE)
        ends.send(chunked(b"abc"))
        ends.send(LIKE[:40])
        ends.send(LIKE[40:])
        ends.send(LIKE)
        assert [len(request.body) for request in ends.requests] == [len(BODY)] * 4 + [3] + [len(BODY)] * 2
        assert [request.head is None for request in ends.requests] == [False, False, True, True, True, True, False]
        assert ends.statuses() == [200] * 7
    finally:
        ends.close()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        LIKE[:-1],
        LIKE + b"x",
        LIKE.replace(b"13", b"+13"),
        LIKE.replace(b"13", b"13 "),
        LIKE.replace(b"13", b"0000013"),
        LIKE.replace(b"Content-Length: 13", b"Content-Length: 1\r\n3"),
        LIKE.replace(b"\r\nContent-Length", b"\r\nX: Content-Length"),
        post(BODY, "X: " + "x" * HEAD_MOST_BYTES),
    ],
)
def test_only_whole_requests_of_a_plain_length_are_looked_up(data: bytes) -> None:
    assert split(data) == (b"", 0)


def test_lengths_make_no_difference_and_all_else_does() -> None:
    key, begin = split(LIKE)
    assert LIKE[begin:] == BODY
    assert split(post(BODY * 9, "Origin: http://shop.test", "Cookie: bz_v=1"))[0] == key
    assert split(post(BODY, "Origin: http://shop.test", "Cookie: bz_v=2"))[0] != key


@pytest.mark.parametrize(
    "header", ["Authorization: Bearer sk", "Content-Encoding: gzip", "Expect: 100-continue", "Upgrade: h2c"]
)
def test_special_requests_are_always_parsed(header: str) -> None:
    heads = Heads()
    exchange(heads, post(b"", header))
    exchange(heads, post(b"", target="/v1/offers"))
    assert len(heads) == 0


def test_senders_that_are_silent_are_forgotten() -> None:
    heads = Heads(most=10)
    for number in range(100):
        heads.learn(b"%d" % number, "POST", "/o", {}, "")
        assert heads.get(b"0") is not None
    assert len(heads) <= 20
    assert heads.get(b"50") is None
    assert heads.get(b"99") is not None
