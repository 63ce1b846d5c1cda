from itertools import count, repeat

import pytest

from loadtests.client import Answer, AnswerReader, Load, LoadError, for_seconds, request, send
from tests.loadtests.conftest import ACCEPTED, FarEnd

OFFERS = b'HTTP/1.1 200 OK\r\ncontent-length: 13\r\nConnection: keep-alive\r\n\r\n{"offers":[]}'
NOTHING = b"HTTP/1.1 204 No Content\r\nServer: gunicorn\r\n\r\n"


def test_reads_answers_that_come_together() -> None:
    statuses = [answer.status for answer in AnswerReader().feed(ACCEPTED + NOTHING + OFFERS)]
    assert statuses == [202, 204, 200]


def test_reads_the_same_answers_byte_by_byte() -> None:
    stream, whole, pieces = OFFERS + ACCEPTED + NOTHING, AnswerReader(), AnswerReader()
    found = [answer for byte in stream for answer in pieces.feed(bytes([byte]))]
    assert found == whole.feed(stream)
    assert found[0].body == b'{"offers":[]}'


def test_does_not_take_the_next_answer_for_a_body() -> None:
    first, second = AnswerReader().feed(NOTHING + OFFERS)
    assert first.body == b""
    assert second.status == 200


def test_refuses_a_body_of_unknown_length() -> None:
    with pytest.raises(LoadError, match="Content-Length"):
        AnswerReader().feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def test_request_says_the_length_of_its_body() -> None:
    raw = request("POST", "/o", {"Content-Type": "text/plain"}, "ñ".encode())
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"POST /o HTTP/1.1"
    assert b"Content-Length: 2" in head.split(b"\r\n")
    assert body == "ñ".encode()
    assert b"Content-Length" not in request("GET", "/v1/offers", {})


def test_requests_end_when_the_time_is_over() -> None:
    ticks = count()
    taken = list(for_seconds(repeat(b"x"), 3, lambda: next(ticks)))
    assert len(taken) == 3


def test_expects_good_answers_and_at_least_one() -> None:
    Load(latencies_s=[0.1]).expect_all_good("offers")
    with pytest.raises(LoadError, match="offers: 0 of 0"):
        Load().expect_all_good("offers")
    with pytest.raises(LoadError, match="503"):
        Load(latencies_s=[0.1], bad=1, first_bad=Answer(503, b"", b"")).expect_all_good("offers")


def is_202(answer: Answer) -> bool:
    return answer.status == 202


@pytest.mark.network
@pytest.mark.parametrize("in_flight", [1, 3, 50])
def test_sends_every_request_once(far_end: FarEnd, in_flight: int) -> None:
    wanted = [request("POST", "/o", {}, b"%d" % number) for number in range(20)]
    load = send(far_end.address, iter(wanted), in_flight, is_202)
    assert sorted(far_end.heard) == sorted(wanted)
    assert (load.answered, load.bad, dict(load.statuses)) == (20, 0, {202: 20})
    assert 0 < min(load.latencies_s) <= max(load.latencies_s) <= load.wall_s


@pytest.mark.network
def test_counts_answers_that_are_not_good(far_end: FarEnd) -> None:
    bodies = [b"ok", b"bad", b"ok", b"bad"]
    load = send(far_end.address, (request("POST", "/o", {}, body) for body in bodies), 2, is_202)
    assert (load.answered, load.bad) == (4, 2)
    assert load.first_bad is not None
    assert load.first_bad.status == 503


@pytest.mark.network
def test_a_connection_closed_under_a_request_is_an_error(far_end: FarEnd) -> None:
    with pytest.raises(LoadError, match="closed a connection"):
        send(far_end.address, iter([request("POST", "/o", {}, b"close")]), 1, is_202)
