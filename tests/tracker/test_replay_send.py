"""Sending a batch: what answers mean, and how a collector that is away is waited for."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from baliza.embedded.valkey import free_port
from tests.support.far_end import Reply, far_end
from tracker.replay_log import Observation
from tracker.replay_send import Counted, GaveUp, Refused, Sender, Split, TryAgain, batches, body_of, read_answer

AT = 1_763_719_200_000_000


def event(index: int, visitor: str = "v-1", **fields: Any) -> Observation:
    return Observation(index, index + 2, visitor, {"event_id": f"e-{index}", "type": "page_view", **fields}, AT + index)


@pytest.mark.parametrize(
    ("headers", "numbers"),
    [
        ({}, {"accepted": 10}),
        ({"x-baliza-dropped": "duplicate", "x-baliza-count": "accepted=7, duplicate=3"}, {"accepted": 7, "duplicate": 3}),
        ({"x-baliza-dropped": "consent"}, {"consent": 10}),
        (
            {"x-baliza-dropped": "bot, duplicate", "x-baliza-count": "accepted=0,bot=4,duplicate=6"},
            {"bot": 4, "duplicate": 6},
        ),
    ],
)
def test_counts_what_202_says(headers: dict[str, str], numbers: dict[str, int]) -> None:
    answer = read_answer(202, headers, b"", 10)
    assert isinstance(answer, Counted)
    assert +answer.numbers == Counter(numbers)


def test_counts_what_200_says() -> None:
    body = b'{"accepted": 2, "duplicate": 1, "rejected": [{"index": 3, "error": "no items"}]}'
    assert read_answer(200, {}, body, 4) == Counted(Counter(accepted=2, duplicate=1), [(3, "no items")])


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"accepted": 3}', b'{"rejected": [{"index": 9, "error": ""}]}'])
def test_does_not_believe_a_200_of_another_kind(body: bytes) -> None:
    assert isinstance(read_answer(200, {}, body, 4), TryAgain)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_tries_again_when_told_to(status: int) -> None:
    assert read_answer(status, {"retry-after": "7"}, b"", 1) == TryAgain(f"the collector answers {status}", 7.0)
    assert read_answer(status, {"retry-after": "soon"}, b"", 1) == TryAgain(f"the collector answers {status}", None)


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405])
def test_stops_where_no_batch_would_be_taken(status: int) -> None:
    with pytest.raises(Refused, match=f"the collector answers {status} to POST /o: nobody's key"):
        read_answer(status, {}, b'{"title": "Unknown key", "detail": "nobody\'s key"}', 1)


def test_splits_what_is_not_usable_as_a_whole() -> None:
    assert read_answer(413, {}, b'{"detail": "too large"}', 5) == Split("too large")
    assert read_answer(400, {}, b"", 5) == Split("without a word")


def test_batches_are_of_one_visitor_in_order() -> None:
    window = [event(0, "a"), event(1, "b"), event(2, "a"), event(3, "a"), event(4, "b")]
    assert [[each.index for each in batch] for batch in batches(window, 2)] == [[0, 2], [3], [1, 4]]


def test_body_is_the_wire_with_times_shifted() -> None:
    batch = [event(0), event(1)]
    assert body_of(batch, timedelta(hours=1), "pk_demo") == (
        b'{"visitor":"v-1","events":['
        b'{"event_id":"e-0","type":"page_view","occurred_at":"2025-11-21T11:00:00Z"},'
        b'{"event_id":"e-1","type":"page_view","occurred_at":"2025-11-21T11:00:00.000001Z"}],"key":"pk_demo"}'
    )
    assert b"key" not in body_of(batch, timedelta(0), None)


@contextmanager
def sender(url: str, **options: Any) -> Iterator[Sender]:
    options = {"key": None, "secret": "sk_demo", "shift": timedelta(0), "stop": threading.Event(), **options}
    made = Sender(url, **options)
    yield made
    made.client.close()


def in_turn(*replies: Reply) -> Callable[[dict[str, Any]], Reply]:
    left = list(replies)
    return lambda _body: left.pop(0) if left else Reply()


@pytest.mark.network
def test_waits_as_retry_after_says_and_sends_the_same_again() -> None:
    waits: list[tuple[str, float]] = []
    busy = in_turn(Reply(503, {"Retry-After": "0"}), Reply(429, {"Retry-After": "0"}))
    with far_end(busy) as end, sender(end.url, on_wait=lambda why, seconds: waits.append((why, seconds))) as made:
        assert made.send([event(0)]) == Counted(Counter(accepted=1))
    assert waits == [("the collector answers 503", 0.0), ("the collector answers 429", 0.0)]
    assert [sent.body for sent in end.requests] == [end.requests[0].body] * 3
    assert len({sent.port for sent in end.requests}) == 1  # one connection, kept alive


@pytest.mark.network
def test_sends_the_secret_key_as_bearer_and_never_in_the_body() -> None:
    with far_end() as end, sender(end.url, key="pk_demo") as made:
        made.send([event(0)])
    [sent] = end.requests
    assert sent.headers["authorization"] == "Bearer sk_demo"
    assert sent.headers["content-type"] == "text/plain"
    assert "key" not in sent.body


@pytest.mark.network
def test_sends_the_publishable_key_in_the_body() -> None:
    with far_end() as end, sender(end.url, key="pk_demo", secret=None) as made:
        made.send([event(0)])
    assert end.requests[0].body["key"] == "pk_demo"
    assert "authorization" not in end.requests[0].headers


@pytest.mark.network
def test_finds_the_bad_event_in_an_unusable_batch() -> None:
    def judge(body: dict[str, Any]) -> Reply:
        bad = any(each["event_id"] == "e-3" for each in body["events"])
        return Reply(413, {}, b'{"detail": "e-3 is too large"}') if bad else Reply()

    with far_end(judge) as end, sender(end.url) as made:
        outcome = made.send([event(index) for index in range(5)])
    assert outcome == Counted(Counter(accepted=4), [(3, "e-3 is too large")])


@pytest.mark.network
def test_gives_up_after_a_bounded_time() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with (
        sender(url, give_up_after_s=0.6) as made,
        pytest.raises(GaveUp, match=r"gave up after 2 tries in \d s: http://127"),
    ):
        made.send([event(0)])


@pytest.mark.network
def test_does_not_wait_longer_than_it_may() -> None:
    with (
        far_end(lambda _body: Reply(503, {"Retry-After": "3600"})) as end,
        sender(end.url) as made,
        pytest.raises(GaveUp, match="answers 503"),
    ):
        made.send([event(0)])
    assert len(end.requests) == 1


@pytest.mark.network
def test_stops_waiting_when_told_to() -> None:
    stop = threading.Event()
    away = f"http://127.0.0.1:{free_port()}"
    with sender(away, stop=stop, on_wait=lambda _why, _seconds: stop.set()) as made:
        assert made.send([event(0)]) is None


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://127.0.0.1:port"])
def test_refuses_an_address_that_is_none(url: str) -> None:
    with sender(url) as made, pytest.raises(Refused, match="--url: expected http://host:port, got"):
        made.send([event(0)])
