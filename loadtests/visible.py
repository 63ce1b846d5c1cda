"""How long it takes from 202 until a report shows the event, while half of saturation comes in on a whole box.

Saturation is what the collector and the live store take on the cores that the load leaves them. What stands behind them may
use the load's cores too, as on a box that is all baliza's; the same with all servers on the collector's cores is a figure of
its own.

A watcher, a process of its own, sends marks (visitors who come from a campaign of their own) and asks the console's
report of that campaign's sessions again and again, as a person would reload it, until each mark is in the answer.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import httpx

from baliza import stores
from baliza.sites import add_token
from demo.walks import instant
from loadtests.client import LoadError
from loadtests.collecting import accepted
from loadtests.figures import Figure, percentile
from loadtests.payloads import BROWSER, KEY, SHOP, Posts
from loadtests.processes import cpu_s, load_core
from loadtests.servers import Box, Server, box
from loadtests.steady import Steady, point_of, send_steadily

__all__ = ["P99", "PART", "Seen", "measure", "watch"]

PART: Final = "visible"
WAIT: Final = "accepted until in a report, {}"
P99: Final = WAIT.format("p99")
CRAMPED: Final = ", all servers on one core"
SOURCE: Final = "mark"
MARK_EVERY_S: Final = 0.05
REPORT_EVERY_S: Final = 0.1
MOST_IN_REPORT: Final = 1_000
CONNECTIONS: Final = 128
CARRIED_WITHIN_S: Final = 90.0


@dataclass(frozen=True)
class Seen:
    """Seconds from accepted to visible of each mark, and what each look at the report took."""

    delays_s: list[float]
    reports_s: list[float]


def measure(folder: Path, per_second: float, seconds: float, tell: Callable[[str], None]) -> list[Figure]:
    """Send `per_second` events to a whole box for so long, with marks among them; and again to one that is cramped. Blocks.

    LoadError when not all of them come into the history.
    """
    found = _measure(folder / "spread", per_second, seconds, tell, spread=True)
    cramped = _measure(folder / "cramped", per_second, seconds, tell, spread=False)
    return found + [replace(figure, name=figure.name + CRAMPED) for figure in cramped]


def _measure(folder: Path, per_second: float, seconds: float, tell: Callable[[str], None], spread: bool) -> list[Figure]:
    with (
        box(folder, with_history=True, spread=spread) as opened,
        opened.serving("tracker") as collector,
        opened.carrying() as ingest,
        opened.reporting() as console,
        ProcessPoolExecutor(1, get_context("spawn")) as watchers,
    ):
        token = add_token(opened.redis, opened.site.name)
        with load_core():
            watchers.submit(watch, collector.url, console.url, token, 0.3, "warm").result(90)
            where = "a whole box" if spread else f"a whole box{CRAMPED}"
            tell(f"visible: {per_second:,.0f} events a second for {seconds:.0f} s, on {where}")
            pids = [*collector.pids, ingest.pids[0], console.pids[0], _engine_of(opened)]
            before = cpu_s(pids)
            watching = watchers.submit(watch, collector.url, console.url, token, seconds, "half")
            load = _send(collector, per_second, seconds)
            busy = (cpu_s(pids) - before) / load.wall_s
            seen = watching.result(seconds + CARRIED_WITHIN_S + 60)
        _expect_carried(opened, load.planned)
    return _figures(seen, per_second, busy)


def _engine_of(opened: Box) -> int:
    assert opened.clickhouse is not None
    assert opened.clickhouse.pid is not None
    return opened.clickhouse.pid


def _send(collector: Server, per_second: float, seconds: float) -> Steady:
    requests = iter(Posts.of("visible", datetime.now(UTC), 1))
    load = send_steadily(collector.address, requests, per_second, seconds, CONNECTIONS, accepted)
    point_of(load, 0.5, per_second)  # for its error when an answer was bad
    return load


def _expect_carried(opened: Box, planned: int) -> None:
    """LoadError when not all of the steady events come into the history, or one comes twice."""
    client, until, found = stores.clickhouse(opened.settings), time.monotonic() + CARRIED_WITHIN_S, 0
    try:
        while time.monotonic() < until:
            found = client.execute(
                "SELECT count() FROM events WHERE NOT startsWith(source, %(source)s)", {"source": f"{SOURCE}-"}
            )[0][0]
            if found >= planned:
                break
            time.sleep(0.2)
    finally:
        client.disconnect()
    if found != planned:
        raise LoadError(f"visible: {planned} events were accepted, {found} are in the history")


def watch(collector_url: str, console_url: str, token: str, seconds: float, run: str) -> Seen:
    """Send marks for so long, and look at the report until it shows them all. LoadError when it does not within 90 s."""
    accepted_at: dict[str, float] = {}
    seen_at: dict[str, float] = {}
    reports_s: list[float] = []
    marking = threading.Thread(target=_send_marks, args=(collector_url, seconds, run, accepted_at))
    marking.start()
    until = time.monotonic() + seconds + CARRIED_WITHIN_S
    with httpx.Client(trust_env=False, timeout=30, headers={"Authorization": f"Bearer {token}"}) as client:
        since = instant(datetime.now(UTC) - timedelta(hours=1))
        asked = {"source": f"{SOURCE}-{run}", "since": since, "limit": str(MOST_IN_REPORT)}
        while (marking.is_alive() or accepted_at.keys() - seen_at.keys()) and time.monotonic() < until:
            began = time.monotonic()
            shown = _shown(client, console_url, asked)
            now = time.monotonic()
            reports_s.append(now - began)
            seen_at = dict.fromkeys(shown, now) | seen_at
            time.sleep(REPORT_EVERY_S)
    marking.join()
    if missing := accepted_at.keys() - seen_at.keys():
        raise LoadError(f"{len(missing)} of {len(accepted_at)} accepted marks do not come into the report")
    return Seen([seen_at[visitor] - at for visitor, at in accepted_at.items()], reports_s)


def _shown(client: httpx.Client, console_url: str, asked: dict[str, str]) -> set[str]:
    answer = client.get(f"{console_url}/v1/reports/sessions", params=asked)
    if answer.status_code != 200:
        raise LoadError(f"the report answered {answer.status_code}: {answer.text[:200]}")
    return {session["visitor_id"] for session in answer.json()["sessions"]}


def _send_marks(collector_url: str, seconds: float, run: str, accepted_at: dict[str, float]) -> None:
    began = time.monotonic()
    with httpx.Client(trust_env=False, timeout=30, headers=BROWSER) as client:
        for number in range(min(MOST_IN_REPORT, max(1, round(seconds / MARK_EVERY_S)))):
            time.sleep(max(0.0, began + number * MARK_EVERY_S - time.monotonic()))
            visitor, moment = f"{run}-{number:05d}", instant(datetime.now(UTC))
            page = {"url": f"{SHOP}/?utm_source={SOURCE}-{run}&utm_medium=watch"}
            event = {"event_id": f"mark-{visitor}", "type": "page_view", "occurred_at": moment, "page": page}
            body = {"key": KEY, "visitor": visitor, "sent_at": moment, "events": [event]}
            if client.post(f"{collector_url}/o", json=body, headers={"Content-Type": "text/plain"}).status_code == 202:
                accepted_at[visitor] = time.monotonic()


def _figures(seen: Seen, per_second: float, busy: float) -> list[Figure]:
    note = f"{len(seen.delays_s)} marks among {per_second:,.0f} events a second; all servers busy {busy:.0%} of a core"
    look = f"the report took {percentile(seen.reports_s, 0.5) * 1000:.0f} ms, the next was asked {REPORT_EVERY_S} s later"
    shares: Sequence[tuple[str, float]] = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("most", 1.0))
    return [
        Figure(PART, WAIT.format(name), percentile(seen.delays_s, share), "s", note if share < 1 else look)
        for name, share in shares
    ]
