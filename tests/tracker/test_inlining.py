"""Paths that the loop answers itself: what they wait for, for how long, and how much is answered at a time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from baliza.errors import StoreDown
from baliza.inline import Reply, Unanswered
from baliza.sites import SiteRegistry
from tests.support.clock import Clock
from tracker.inlining import SLICE_S, Inlining
from tracker.request import Answer, Request

Told = Callable[[Sequence[Any] | StoreDown], None]
WAIT_S = 0.025


class Connection:
    """As far as it matters here."""

    closed = False


class Echo:
    """Answers what the store has under the key that the query names; a millisecond each."""

    wait_s = WAIT_S

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def ask(self, method: str, query: str, headers: Mapping[str, str], registry: SiteRegistry | None) -> Reply | Unanswered:
        if query == "broken":
            raise RuntimeError("planned")
        return Reply(400, [("X-Came", method)], b"no") if query == "refused" else Later(self, query or None)


class Later:
    def __init__(self, echo: Echo, key: str | None) -> None:
        self.echo, self.key = echo, key

    def answer(self, stored: bytes | StoreDown | None) -> Reply:
        self.echo.clock.now_s += 0.001
        if stored == b"broken":
            raise RuntimeError("planned")
        return Reply(200, [], b"down" if isinstance(stored, StoreDown) else stored or b"none")


class Bench:
    """An Inlining with its store and its clients in the hands of the test."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[tuple[Any, ...], Told]] = []
        self.answers: list[Answer] = []
        self.inlining = Inlining({"/echo": Echo(self.clock)}, self.send, self.done, self.clock)

    def send(self, commands: Sequence[tuple[Any, ...]], done: Told, now: float) -> None:
        self.asked.append((commands[0], done))

    def done(self, connection: Any, request: Request, answer: Answer) -> None:
        self.answers.append(answer)

    def take(self, query: str = "", connection: Any = None) -> None:
        request = Request("GET", f"/echo?{query}", {}, b"", "127.0.0.1")
        self.inlining.take(connection or Connection(), request, None, self.clock.now_s)

    def bodies(self) -> list[bytes]:
        """What was answered since, after another turn."""
        self.inlining.work(self.clock.now_s)
        found, self.answers[:] = [answer.body for answer in self.answers], []
        return found


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_reads_the_key_and_answers_with_it_in_a_turn_of_its_own(bench: Bench) -> None:
    bench.take("k-1")
    (command, told), *_ = bench.asked
    assert command == ("GET", "k-1")
    assert bench.bodies() == []
    told([b"v-1"])
    assert bench.answers == [], "not while the store's other replies wait to be handed out"
    assert bench.inlining.wait_s(9.0, bench.clock.now_s) == 0
    assert bench.bodies() == [b"v-1"]
    assert bench.inlining.wait_s(9.0, bench.clock.now_s) == 9


def test_what_needs_no_key_asks_no_store(bench: Bench) -> None:
    bench.take()
    assert bench.asked == []
    assert bench.bodies() == [b"none"]


def test_what_is_refused_is_answered_at_once(bench: Bench) -> None:
    bench.take("refused")
    assert bench.answers == [Answer(400, [("X-Came", "GET")], b"no")]


def test_a_store_that_is_away_is_told_to_who_answers(bench: Bench) -> None:
    bench.take("k-1")
    bench.asked[0][1](StoreDown("away"))
    assert bench.bodies() == [b"down"]


def test_nobody_waits_longer_than_the_path_says(bench: Bench) -> None:
    bench.take("k-1")
    bench.clock.now_s += 0.010
    bench.take("k-2")
    assert bench.inlining.wait_s(9.0, bench.clock.now_s) == pytest.approx(WAIT_S - 0.010)
    bench.clock.now_s += 0.015
    assert bench.bodies() == [b"down"]
    bench.asked[0][1]([b"late"])
    assert bench.bodies() == [], "answered once, whatever comes later"
    bench.asked[1][1]([b"v-2"])
    assert bench.bodies() == [b"v-2"]


def test_answers_for_a_slice_of_time_and_then_lets_the_loop_look_at_its_sockets(bench: Bench) -> None:
    for _ in range(10):
        bench.take()
    a_turn = round(SLICE_S / 0.001)
    assert [len(bench.bodies()) for _ in range(4)] == [a_turn, a_turn, 10 - 2 * a_turn, 0]


def test_no_work_for_those_who_have_gone(bench: Bench) -> None:
    gone = Connection()
    bench.take(connection=gone)
    gone.closed = True
    began = bench.clock.now_s
    assert bench.bodies() == []
    assert bench.clock.now_s == began


def test_one_that_fails_is_a_500_and_the_others_go_on(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.take("broken")
    bench.take("k-1")
    bench.take("k-2")
    bench.asked[0][1]([b"broken"])
    bench.asked[1][1]([b"v-2"])
    bench.inlining.work(bench.clock.now_s)
    assert [answer.status for answer in bench.answers] == [500, 500, 200]
    assert caplog.text.count("unforeseen error at /echo") == 2
