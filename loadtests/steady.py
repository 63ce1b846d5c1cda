"""Load in an open loop: requests leave at a constant rate, whether the server keeps up or not, as shoppers come.

Latency counts from the moment at which a request should have left. A server that stalls for a second so gets the waits of
all requests of that second into its percentiles, where a closed loop would have sent, and measured, one.
"""

import selectors
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from loadtests.client import SILENCE_S, Answer, Connection, LoadError
from loadtests.figures import percentile

__all__ = ["Curve", "Point", "Steady", "point_of", "send_steadily"]

# Shorter waits are spun: selectors wait for whole milliseconds, rounded up.
SPIN_S: Final = 0.002


@dataclass(frozen=True)
class Point:
    """One offered load (per second), and what became of it; latencies in milliseconds."""

    share: float
    offered: float
    answered: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    # How late the load itself was where a connection was free: what it adds to the server's latencies at most.
    load_late_p99_ms: float


@dataclass(frozen=True)
class Curve:
    """What became of one server's offered loads, the smallest first. `what`: what is offered (events, requests)."""

    name: str
    what: str
    points: Sequence[Point]


@dataclass
class Steady:
    """What a steady load was answered. `latencies_s` from the intended moments; `late_s`: see Point."""

    planned: int
    latencies_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    bad: int = 0
    first_bad: Answer | None = None
    wall_s: float = 0.0


class _Connection(Connection):
    """`intended`: when the request in flight should have left."""

    intended = 0.0


def send_steadily(
    address: tuple[str, int],
    requests: Iterator[bytes],
    per_second: float,
    seconds: float,
    connections: int,
    good: Callable[[Answer], bool],
) -> Steady:
    """Send per_second × seconds requests, evenly, over so many connections, and wait for all answers. Blocks.

    When all connections wait for answers, what is due waits too, and the wait counts. LoadError when the server closes a
    connection or says nothing for 20 s.
    """
    load = Steady(max(1, round(per_second * seconds)))
    opened = [_Connection(address) for _ in range(connections)]
    try:
        with selectors.DefaultSelector() as selector:
            for connection in opened:
                selector.register(connection.socket, selectors.EVENT_READ, connection)
            _Run(load, selector, opened, requests, 1 / per_second, good).run()
    finally:
        for connection in opened:
            connection.socket.close()
    return load


class _Run:
    """The loop of one steady load."""

    def __init__(
        self,
        load: Steady,
        selector: selectors.BaseSelector,
        opened: Iterable[_Connection],
        requests: Iterator[bytes],
        gap_s: float,
        good: Callable[[Answer], bool],
    ) -> None:
        self.load, self.selector, self.requests, self.gap_s, self.good = load, selector, requests, gap_s, good
        self.idle = deque(opened)
        self.sent = 0
        self.began = self.heard_at = time.perf_counter()
        self.free_since = self.began

    def run(self) -> None:
        load = self.load
        while len(load.latencies_s) < load.planned:
            self._send_due()
            self._listen()
        load.wall_s = time.perf_counter() - self.began

    def _send_due(self) -> None:
        now = time.perf_counter()
        due = min(self.load.planned, int((now - self.began) / self.gap_s) + 1)
        while self.sent < due and self.idle:
            connection = self.idle.popleft()
            connection.intended = self.began + self.sent * self.gap_s
            # Before a connection was free it was the server that was late.
            self.load.late_s.append(time.perf_counter() - max(connection.intended, self.free_since))
            connection.ask(next(self.requests))
            self.sent += 1

    def _listen(self) -> None:
        all_busy = not self.idle
        ready = self.selector.select(self._patience_s())
        now = time.perf_counter()
        if not ready and now - self.heard_at > SILENCE_S:
            raise LoadError(f"no answer for {SILENCE_S:.0f} s; {len(self.load.latencies_s)} came before")
        for key, _ in ready:
            if self._hear(key.data):
                self.idle.append(key.data)
        if ready:
            self.heard_at = now
            self.free_since = now if all_busy else self.free_since

    def _patience_s(self) -> float:
        """How long may be waited for answers. Less than some milliseconds is not waited at all: the next request is due."""
        if self.sent == self.load.planned or not self.idle:
            return 1.0
        until_due_s = self.began + self.sent * self.gap_s - time.perf_counter()
        return until_due_s - SPIN_S if until_due_s > SPIN_S else 0.0

    def _hear(self, connection: _Connection) -> bool:
        """True when the connection's answer has come and it may ask again."""
        answers = connection.hear()
        for answer in answers:
            self.load.latencies_s.append(time.perf_counter() - connection.intended)
            if not self.good(answer):
                self.load.bad += 1
                self.load.first_bad = self.load.first_bad or answer
        return bool(answers)


def point_of(load: Steady, share: float, offered: float) -> Point:
    """The load as a point of a curve. LoadError when an answer was not as it should be."""
    if load.bad:
        raise LoadError(f"{load.bad} of {load.planned} answers were not as expected, the first: {load.first_bad}")
    p50, p90, p99 = (percentile(load.latencies_s, part) * 1000 for part in (0.5, 0.9, 0.99))
    late = percentile(load.late_s, 0.99) * 1000
    return Point(share, offered, load.planned / load.wall_s, p50, p90, p99, late)
