"""What an accepted event costs at the collector, beside F, the empty Flask view. Rounds are interleaved.

Cost is user plus system time of all server processes, the live store's included, divided by accepted events: unlike requests
per second it hardly depends on what else the machine does. Every accepted request is found again in the streams.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from loadtests.client import Answer, LoadError, for_seconds, send
from loadtests.figures import Figure, median_of
from loadtests.payloads import posts
from loadtests.processes import cpu_s, load_core
from loadtests.servers import Box, Server, box, empty_flask

__all__ = ["COLLECTOR", "EMPTY", "PART", "UNIT", "accepted", "measure", "times_cheaper"]

PART: Final = "collector"
COLLECTOR: Final = "collector"
EMPTY: Final = ("gevent", "gthread")
UNIT: Final = "µs CPU per event"
WARM_UP_S: Final = 0.3


@dataclass(frozen=True)
class Case:
    """One load: who is asked, how many events a request carries, how many requests are in flight."""

    who: str
    events_each: int
    in_flight: int

    @property
    def name(self) -> str:
        """As the table has it."""
        what = self.who if self.who == COLLECTOR else f"F: empty Flask view, {self.who}"
        each = "" if self.who != COLLECTOR else f"{self.events_each} event{'s' * (self.events_each > 1)} a request, "
        return f"{what}, {each}{self.in_flight} in flight"


IN_FLIGHT: Final = (1, 8, 64)
CASES: Final = (
    *(Case(who, 1, in_flight) for in_flight in IN_FLIGHT for who in (COLLECTOR, *EMPTY)),
    Case(COLLECTOR, 10, 64),
)


def accepted(answer: Answer) -> bool:
    """True when all events of the request were new and taken."""
    return answer.status == 202 and b"\r\nx-baliza-dropped:" not in answer.head.lower()


def measure(folder: Path, rounds: int, seconds: float, tell: Callable[[str], None]) -> list[Figure]:
    """Start the collector and both kinds of F, load them in turn, answer costs and ratios. Blocks."""
    costs: dict[Case, list[float]] = defaultdict(list)
    busy: dict[Case, list[float]] = defaultdict(list)
    with ExitStack() as running:
        stores = running.enter_context(box(folder / "stores"))
        servers = {COLLECTOR: running.enter_context(stores.serving("tracker"))}
        for kind in EMPTY:
            servers[kind] = running.enter_context(empty_flask(folder, kind))
        for case in CASES:
            _load(stores, servers[case.who], case, "warm", WARM_UP_S)
        for number in range(rounds):
            for case in CASES:
                tell(f"round {number + 1} of {rounds}: {case.name}")
                cost, share = _load(stores, servers[case.who], case, f"r{number}", seconds)
                costs[case].append(cost)
                busy[case].append(share)
    figures = [median_of(PART, case.name, costs[case], UNIT, _busy_note(busy[case])) for case in CASES]
    return [*figures, *_ratios(costs)]


def _busy_note(shares: Sequence[float]) -> str:
    """How busy the servers were. Where they waited for the load, fewer requests came together than could have."""
    return f"servers busy {statistics.median(shares):.0%} of one core"


def _load(stores: Box, server: Server, case: Case, label: str, seconds: float) -> tuple[float, float]:
    """µs of CPU per accepted event of one load, and how much of a core the servers used."""
    stores.forget_streams()
    run = f"{label}-{case.in_flight}-{case.events_each}"
    requests = for_seconds(posts(run, datetime.now(UTC), case.events_each), seconds)
    good = accepted if case.who == COLLECTOR else _nothing
    before = cpu_s(server.pids)
    with load_core():
        load = send(server.address, requests, case.in_flight, good)
    used = cpu_s(server.pids) - before
    load.expect_all_good(case.name)
    if case.who == COLLECTOR and (streamed := stores.streamed()) != load.answered:
        raise LoadError(f"{case.name}: {load.answered} requests were accepted, but {streamed} are in the streams")
    return used * 1e6 / (load.answered * case.events_each), used / load.wall_s


def _nothing(answer: Answer) -> bool:
    return answer.status == 204


def _ratios(costs: dict[Case, list[float]]) -> list[Figure]:
    figures = []
    for case in CASES:
        if case.who == COLLECTOR:
            ours = costs[case]
            empty = {kind: costs[Case(kind, 1, case.in_flight)] for kind in EMPTY}
            kind, times = times_cheaper(ours, empty)
            figures.append(median_of(PART, f"{case.name}: cheaper than F", times, "×", f"F is the better one, {kind}"))
    return figures


def times_cheaper(ours: Sequence[float], others: dict[str, list[float]]) -> tuple[str, list[float]]:
    """The cheapest of the others by median, and how many times cheaper ours is, round by round."""
    best = min(others, key=lambda kind: statistics.median(others[kind]))
    return best, [other / own for other, own in zip(others[best], ours, strict=True)]
