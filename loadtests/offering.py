"""How fast offers come: GET /v1/offers through the public process, with a model learned from the same history."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from baliza import stores
from demo.walks import Batch
from loadtests.client import Answer, Load, LoadError, for_seconds, send
from loadtests.figures import Figure, percentile
from loadtests.loading import curve_point
from loadtests.payloads import offers_asked
from loadtests.processes import cpu_s, load_core
from loadtests.servers import Box, Server
from loadtests.steady import Curve, Point
from personalizer.learning.train import Trained, train

__all__ = ["PART", "has_offers", "measure"]

PART: Final = "offers"
IN_FLIGHT: Final = (1, 16)  # the last is what saturates
SHARES: Final = (0.1, 0.5, 0.75, 0.9, 1.1)
VISITORS: Final = 2_000
PERCENTILES: Final = (0.5, 0.9, 0.99)


def has_offers(answer: Answer) -> bool:
    """True when the offers were made from the visitor's profile and the model, without a fallback."""
    return answer.status == 200 and b'"offers":[{' in answer.body and b'"fallback":null' in answer.body


def measure(opened: Box, visits: Sequence[Batch], seconds: float, tell: Callable[[str], None]) -> tuple[list[Figure], Curve]:
    """Train on the history that the box has, serve it with one worker, ask in closed and in open loops. Blocks."""
    tell("offers: training")
    began = time.perf_counter()
    trained = _train(opened)
    took = time.perf_counter() - began
    note = f"{trained.events:,} events, {trained.sessions:,} sessions, {trained.items} items"
    figures = [Figure(PART, "training", took, "s", note)]
    visitors = list(dict.fromkeys(str(batch.body["visitor"]) for batch in visits))[:VISITORS]
    with opened.serving("public") as public:
        _ask(public, visitors, 1, 0.5)
        for in_flight in IN_FLIGHT:
            tell(f"offers: {in_flight} in flight")
            before = cpu_s(public.pids)
            load = _ask(public, visitors, in_flight, seconds)
            figures += _figures(load, in_flight, cpu_s(public.pids) - before)
        most = load.answered / load.wall_s
        curve = Curve("offers", "requests", [_point(public, visitors, share, most, seconds / 2, tell) for share in SHARES])
    return figures, curve


def _point(
    public: Server, visitors: Sequence[str], share: float, most: float, seconds: float, tell: Callable[[str], None]
) -> Point:
    tell(f"offers: {share:.0%} of {most:,.0f} requests a second")
    return curve_point(public, offers_asked(visitors), has_offers, share, most, seconds)


def _train(opened: Box) -> Trained:
    client = stores.clickhouse(opened.settings)
    trained = train(stores.History(lambda: client), opened.settings, opened.site, datetime.now(UTC))
    client.disconnect()
    if trained is None:
        raise LoadError("there was nothing to learn from in the history")
    return trained


def _ask(public: Server, visitors: Sequence[str], in_flight: int, seconds: float) -> Load:
    with load_core():
        load = send(public.address, for_seconds(offers_asked(visitors), seconds), in_flight, has_offers)
    load.expect_all_good("offers")
    return load


def _figures(load: Load, in_flight: int, used_s: float) -> list[Figure]:
    about = f"{in_flight} in flight"
    figures = [
        Figure(PART, f"answered, {about}", load.answered / load.wall_s, "requests/s", "one process, 4 offers an answer"),
        Figure(PART, f"CPU, {about}", used_s * 1e6 / load.answered, "µs per request", "Valkey included"),
    ]
    return figures + [
        Figure(PART, f"p{share * 100:.0f}, {about}", percentile(load.latencies_s, share) * 1000, "ms")
        for share in PERCENTILES
    ]
