"""What an accepted event costs at the collector, beside F, an empty Flask view, and N, nginx. Rounds are interleaved.

Cost is user plus system time of all server processes, the live store's included, divided by accepted events: unlike requests
per second it hardly depends on what else the machine does. Every accepted event is found again in the streams.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from loadtests import nginx, wrk
from loadtests.client import Answer, LoadError
from loadtests.closed import Sent, send_closed
from loadtests.figures import Figure, median_of
from loadtests.payloads import Posts
from loadtests.processes import cpu_s
from loadtests.servers import Box, Server, box, empty_flask

__all__ = [
    "COLLECTOR",
    "EMPTY",
    "FIRST",
    "FSYNC",
    "N_LOG",
    "PART",
    "UNIT",
    "Case",
    "N",
    "accepted",
    "measure",
    "name_of_ratio",
]

PART: Final = "collector"
COLLECTOR: Final = "collector"
FSYNC: Final = "collector, fsync before every answer"
EMPTY: Final = ("gevent_pywsgi", "gevent", "gthread")
N: Final = "N: nginx, return 204"
N_LOG: Final = "nginx that reads and logs the POST"
UNIT: Final = "µs CPU per event"
WARM_UP_S: Final = 0.3
PER_SECOND: Final = "events/s"


@dataclass(frozen=True)
class Case:
    """One load: who is asked, how many events a request carries, how many requests are in flight."""

    who: str
    events_each: int
    in_flight: int

    @property
    def name(self) -> str:
        """As the table has it."""
        what = f"F: empty Flask view, {self.who}" if self.who in EMPTY else self.who
        each = f"{self.events_each} event{'s' * (self.events_each > 1)} a request, " if self.ours else ""
        return f"{what}, {each}{self.in_flight} in flight"

    @property
    def ours(self) -> bool:
        """True when the collector is asked."""
        return self.who in (COLLECTOR, FSYNC)


IN_FLIGHT: Final = (1, 8, 64)
CASES: Final = (
    *(Case(who, 1, in_flight) for in_flight in IN_FLIGHT for who in (COLLECTOR, *EMPTY, N)),
    Case(N_LOG, 1, 64),
    Case(FSYNC, 1, 64),
    Case(COLLECTOR, 10, 64),
)
FIRST: Final = Case(COLLECTOR, 1, 64)


@dataclass
class Costs:
    """What the rounds of one case gave."""

    us: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    per_s: list[float] = field(default_factory=list)
    load_us: list[float] = field(default_factory=list)

    @property
    def note(self) -> str:
        """How busy the servers were. Where they waited for the load, fewer requests came together than could have."""
        return f"servers busy {statistics.median(self.busy):.0%} of one core"


@dataclass(frozen=True)
class Bench:
    """Everything that is asked, already started. `boxes` has those whose streams can be counted."""

    servers: dict[str, Server]
    boxes: dict[str, Box]

    def cases(self) -> list[Case]:
        return [case for case in CASES if case.who in self.servers]


def accepted(answer: Answer) -> bool:
    """True when all events of the request were new and taken."""
    return answer.status == 202 and b"\r\nx-baliza-dropped:" not in answer.head.lower()


def measure(folder: Path, rounds: int, seconds: float, tell: Callable[[str], None]) -> list[Figure]:
    """Start the collector (twice: once with fsync), F and N, load them in turn, answer costs and ratios. Blocks."""
    costs: dict[Case, Costs] = defaultdict(Costs)
    with ExitStack() as running:
        bench = _started(folder, running)
        for case in bench.cases():
            _load(bench, case, Costs(), "warm", WARM_UP_S, with_wrk=False)
        for number in range(rounds):
            for case in bench.cases():
                tell(f"round {number + 1} of {rounds}: {case.name}")
                _load(bench, case, costs[case], f"r{number}", seconds)
        tools = _compare_tools(bench, seconds)
    logged = nginx.logged(folder / "nginx") if N_LOG in bench.servers else 0
    if N_LOG in bench.servers and not logged:
        raise LoadError("nginx logged nothing")
    figures = [median_of(PART, case.name, costs[case].us, UNIT, costs[case].note) for case in bench.cases()]
    return [*figures, *_ratios(costs), *_rates(costs), *tools]


def _started(folder: Path, running: ExitStack) -> Bench:
    boxes = {
        COLLECTOR: running.enter_context(box(folder / "stores")),
        FSYNC: running.enter_context(box(folder / "fsync", valkey_options={"appendfsync": "always"})),
    }
    servers = {who: running.enter_context(opened.serving("tracker")) for who, opened in boxes.items()}
    for kind in EMPTY:
        servers[kind] = running.enter_context(empty_flask(folder, kind))
    if nginx.available():
        servers[N], servers[N_LOG] = running.enter_context(nginx.nginx(folder / "nginx"))
    return Bench(servers, boxes)


def _load(bench: Bench, case: Case, costs: Costs, label: str, seconds: float, with_wrk: bool | None = None) -> None:
    """One load, noted in `costs`. LoadError when what was accepted is not in the streams, or more than what was sent."""
    server, opened = bench.servers[case.who], bench.boxes.get(case.who)
    if opened:
        opened.forget_streams()
    posts = Posts.of(f"{label}-{case.in_flight}-{case.events_each}", datetime.now(UTC), case.events_each)
    before = cpu_s(server.pids)
    sent = send_closed(server.address, posts, case.in_flight, seconds, accepted if opened else _nothing, with_wrk)
    if opened:
        opened.settle(server)
    used = cpu_s(server.pids) - before
    events = _found(opened, case, sent) if opened else sent.answered
    costs.us.append(used * 1e6 / events)
    costs.busy.append(used / sent.wall_s)
    costs.per_s.append(events / sent.wall_s)
    costs.load_us.append(sent.own_cpu_s * 1e6 / sent.answered)


def _found(opened: Box, case: Case, sent: Sent) -> int:
    """The events in the streams: all that were accepted, and at most those more whose answers the load did not wait for."""
    streamed, answered = opened.streamed(), sent.answered * case.events_each
    if not answered <= streamed <= answered + case.in_flight * case.events_each:
        raise LoadError(f"{case.name}: {answered} events were accepted, but {streamed} are in the streams")
    return streamed


def _nothing(answer: Answer) -> bool:
    return answer.status == 204


def _compare_tools(bench: Bench, seconds: float) -> list[Figure]:
    """What the load itself costs with either tool: it must be less than what it measures, or it is the limit."""
    figures = []
    for name, with_wrk in (("wrk", True), ("our own client", False)):
        if with_wrk and not wrk.available():
            continue
        costs = Costs()
        _load(bench, FIRST, costs, f"tool-{with_wrk:d}", seconds, with_wrk)
        note = f"server {costs.us[0]:.0f} µs per event, {costs.note}"
        figures.append(Figure("load", f"{name}, 64 in flight", costs.load_us[0], "µs CPU per request", note))
    return figures


def _rates(costs: dict[Case, Costs]) -> list[Figure]:
    cases = [case for case in costs if case.ours]
    return [median_of(PART, f"{case.name}: accepted", costs[case].per_s, PER_SECOND, costs[case].note) for case in cases]


def name_of_ratio(case: Case, other: str) -> str:
    """What the figure is called that says how the case's cost relates to another's."""
    return f"{case.name}: cost ÷ {other}"


def _ratios(costs: dict[Case, Costs]) -> list[Figure]:
    figures = []
    for case in [case for case in costs if case.ours]:
        empty = {kind: costs[Case(kind, 1, case.in_flight)].us for kind in EMPTY}
        best = min(empty, key=lambda kind: statistics.median(empty[kind]))
        others = [f"{statistics.median(costs[case].us) / statistics.median(us):.3g} × {kind}" for kind, us in empty.items()]
        note = f"F is the cheapest, {best}; of medians {', '.join(others)}"
        figures.append(_ratio(case, "F", costs[case].us, empty[best], note))
        if (bare := Case(N, 1, case.in_flight)) in costs:
            figures.append(_ratio(case, "N", costs[case].us, costs[bare].us))
        if case == FIRST and (logging := Case(N_LOG, 1, case.in_flight)) in costs:
            figures.append(_ratio(case, N_LOG, costs[case].us, costs[logging].us))
    figures.append(_ratio(Case(FSYNC, 1, 64), "without fsync", costs[Case(FSYNC, 1, 64)].us, costs[FIRST].us))
    return figures


def _ratio(case: Case, other: str, ours: Sequence[float], theirs: Sequence[float], note: str = "") -> Figure:
    """Round by round, because what slows the machine slows both."""
    return median_of(PART, name_of_ratio(case, other), [a / b for a, b in zip(ours, theirs, strict=True)], "×", note)
