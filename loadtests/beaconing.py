"""`python -m loadtests.beaconing`: what the beacon costs a page, in Chromium, beside the same page without it.

CPU time of the page's main thread, so that other work on the machine does not count. Needs Playwright and Chromium
(BALIZA_CHROMIUM says where it is). The page has 300 faros; a visit is the load and the two seconds after it, in which the
faros that can be seen are told. Browser, pages and HTTP server are this process's own; nothing leaves the machine.
"""

import json
import os
import shutil
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

import click
from playwright.sync_api import Browser, Page, sync_playwright

from js_beacon import PARTS, script_path
from loadtests import machine
from loadtests.figures import rounded, table
from loadtests.listening import Listening

__all__ = [
    "Load",
    "PageServer",
    "load_cost",
    "main",
    "measure_calls",
    "ordinary_ms",
    "page_of_faros",
    "pairs",
    "visits_in_turn",
]

FAROS: Final = 300
LONG_MS: Final = 50.0
SETTLED_MS: Final = 2_000
CALLS: Final = 40
READY: Final = "window.baliza && window.baliza.ready"
TRACED: Final = ["devtools.timeline", "disabled-by-default-devtools.timeline"]
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


# Work of the beacon's kind (elements observed, styles, small objects, JSON) that never changes: what it costs says how fast
# the machine is at the moment.
YARDSTICK: Final = """<script>addEventListener('load', () => {
  const seen = new Map(), kept = [];
  const watcher = new IntersectionObserver(all => all.forEach(one => seen.set(one.target, one)), {threshold: .5});
  for (let round = 0; round < 4; round++) setTimeout(() => document.querySelectorAll('[data-faro]').forEach((faro, n) => {
    const copy = document.body.appendChild(faro.cloneNode(true));
    const [kind, id] = copy.dataset.faro.split(':');
    kept.push(JSON.parse(JSON.stringify({kind, id, n, at: new Date().toISOString(), top: copy.style.height})));
    watcher.observe(copy);
  }), 200 * round);
})</script>"""
# Milliseconds that the yardstick adds to a page on the machine of loadtests/results (the least of ten visits).
YARDSTICK_MS: Final = 120.0


def page_of_faros(count: int, with_beacon: bool, more: str = "") -> str:
    """A list of products with a mark on each. Pure."""
    tag = ('<script async src="/b.js" data-site="pk_test"></script>' if with_beacon else "") + more
    faros = "".join(f'<p data-faro="product:P-{n}" style="height:80px">Product {n}</p>' for n in range(count))
    return f"<!doctype html><title>{count} products</title>{tag}{faros}"


class _PageHandler(BaseHTTPRequestHandler):
    far_end: "PageServer"

    def do_GET(self) -> None:
        name = self.path[1:]
        if name in PARTS:
            return self.reply(200, "text/javascript", script_path(name).read_bytes())
        found = self.far_end.pages.get(self.path)
        return self.reply(200 if found else 404, "text/html", (found or "").encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(self.far_end.status, "text/plain", b"")

    def reply(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        # Browsers tell an isolated page the time to 5 µs, others to 100 µs.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        """Quiet."""


class PageServer(Listening):
    """Pages, the beacon's parts, and POST /o that answers with `status`."""

    def __init__(self) -> None:
        self.status = 202
        self.pages = {
            "/with": page_of_faros(FAROS, with_beacon=True),
            "/without": page_of_faros(FAROS, with_beacon=False),
            "/yardstick": page_of_faros(FAROS, with_beacon=False, more=YARDSTICK),
            "/small": page_of_faros(1, with_beacon=True),
            "/empty": "<!doctype html><title>empty</title>",
        }
        super().__init__(_PageHandler)


@dataclass(frozen=True)
class Load:
    """CPU milliseconds of the main thread in one visit: in scripts, in all tasks, and in the longest task."""

    script_ms: float
    tasks_ms: float
    longest_ms: float


def load_cost(browser: Browser, server: PageServer, path: str, throttle: float = 1.0) -> Load:
    """Visit a page in a browser that has never been there. `throttle`: how many times slower the processor is made."""
    with _fresh_page(browser) as page:
        page.goto(server.origin + "/empty")
        with _watched(browser, page, throttle) as found:
            page.goto(server.origin + path)
            page.wait_for_timeout(SETTLED_MS)
    return found[0]


@contextmanager
def _watched(browser: Browser, page: Page, throttle: float = 1.0) -> Iterator[list[Load]]:
    """What the page's main thread does inside of the block; the list is filled when it ends."""
    found: list[Load] = []
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.enable", {"timeDomain": "threadTicks"})
    cdp.send("Emulation.setCPUThrottlingRate", {"rate": throttle})
    before = _metrics(cdp)
    browser.start_tracing(page=page, categories=TRACED)
    yield found
    after = _metrics(cdp)
    trace = json.loads(browser.stop_tracing())["traceEvents"]
    script, tasks = ((after[name] - before[name]) * 1000 for name in ("ScriptDuration", "TaskDuration"))
    found.append(Load(script, tasks, longest_task_ms(trace)))


def _metrics(cdp: Any) -> dict[str, float]:
    return {metric["name"]: metric["value"] for metric in cdp.send("Performance.getMetrics")["metrics"]}


def longest_task_ms(trace: list[dict[str, Any]]) -> float:
    """The CPU time of the longest task of any page's main thread. Pure."""
    mains = {
        (entry["pid"], entry["tid"])
        for entry in trace
        if entry["name"] == "thread_name" and entry["args"]["name"] == "CrRendererMain"
    }
    tasks = (entry for entry in trace if entry["name"] == "RunTask" and (entry["pid"], entry["tid"]) in mains)
    return float(max((entry.get("tdur", 0) for entry in tasks), default=0)) / 1000


@contextmanager
def _fresh_page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


def visits_in_turn(browser: Browser, server: PageServer, *paths: str, throttle: float = 1.0) -> list[Load]:
    """One visit of each page, one after the other, so that what changes on the machine meets all."""
    return [load_cost(browser, server, path, throttle) for path in paths]


def ordinary_ms(ours: list[Load], others: list[Load], yardsticks: list[Load]) -> float:
    """What all tasks of `ours` cost more than those of `others`, as it would be on an ordinary machine. Pure.

    Medians of visits made in turn, so that a slow machine makes both differences larger and is divided out.
    """
    extra, yardstick = (
        statistics.median(load.tasks_ms - other.tasks_ms for load, other in zip(loads, others, strict=True))
        for loads in (ours, yardsticks)
    )
    return extra * YARDSTICK_MS / yardstick


def pairs(browser: Browser, server: PageServer, rounds: int, throttle: float = 1.0) -> tuple[list[Load], list[Load]]:
    """Visits with and without the beacon in turn."""
    visits = [visits_in_turn(browser, server, "/with", "/without", throttle=throttle) for _ in range(rounds)]
    return [pair[0] for pair in visits], [pair[1] for pair in visits]


# Each call is timed by itself; the waiting events are made by the beacon, with a server that takes none.
CALL_COSTS: Final = """async ([kind, waiting, calls]) => {
  const say = {
    call: n => baliza('event', 'search', {search_term: 'lamp ' + n}),
    pushed: n => dataLayer.push({event: 'add_to_cart', ecommerce: {currency: 'EUR', value: 39.9,
      items: [{item_id: 'LAMP-' + n, item_name: 'Lamp', price: 39.9, quantity: 1}]}}),
    other: n => dataLayer.push({event: 'scroll', depth: n}),
  };
  const entries = () => Object.keys(localStorage).filter(name => name.startsWith('bz:'));
  entries().forEach(name => localStorage.removeItem(name));
  for (let n = 0; n < waiting; n++) say.call(n);
  const costs = [];
  for (let n = 0; n < calls; n++) {
    const began = performance.now();
    say[kind](n);
    costs.push(1000 * (performance.now() - began));
    if (!waiting) entries().forEach(name => localStorage.removeItem(name));
    await null;
  }
  return costs;
}"""


@dataclass(frozen=True)
class Calls:
    """Microseconds of single calls of one kind while so many events were waiting."""

    name: str
    waiting: int
    costs: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.costs)


def measure_calls(browser: Browser, server: PageServer, rounds: int, waiting: tuple[int, ...]) -> list[Calls]:
    """What single calls cost while events are waiting. Wall time: take the median."""
    server.status = 503
    kinds = {"baliza('event', …)": "call", "dataLayer.push of an event": "pushed", "dataLayer.push of another tool": "other"}
    found = []
    for events in waiting:
        for name, kind in kinds.items():
            costs = [cost for _ in range(rounds) for cost in _calls(browser, server, kind, events)]
            found.append(Calls(name, events, costs))
    server.status = 202
    return found


def _calls(browser: Browser, server: PageServer, kind: str, waiting: int) -> list[float]:
    with _fresh_page(browser) as page:
        page.goto(server.origin + "/small")
        page.wait_for_function(READY)
        costs: list[float] = page.evaluate(CALL_COSTS, [kind, waiting, CALLS])
        return costs


MAKE_BACKLOG: Final = "count => { for (let n = 0; n < count; n++) baliza('event', 'search', {search_term: 'n' + n}) }"
NOTHING_WAITS: Final = "!Object.keys(localStorage).some(name => name.startsWith('bz:'))"


def backlog_cost(browser: Browser, server: PageServer, waiting: int) -> Load:
    """The next page of a visitor of whom so many events wait, when the server is back: it sends them all."""
    with _fresh_page(browser) as page:
        server.status = 503
        page.goto(server.origin + "/small")
        page.wait_for_function(READY)
        page.evaluate(MAKE_BACKLOG, waiting)
        page.goto(server.origin + "/empty")
        server.status = 202
        with _watched(browser, page) as found:
            page.goto(server.origin + "/small")
            page.wait_for_function(NOTHING_WAITS, polling=500)
    return found[0]


def load_rows(name: str, with_it: list[Load], without: list[Load]) -> Iterator[tuple[str, str, str, str]]:
    """Medians side by side, and how many visits had a task of over 50 ms. Pure."""
    parts: dict[str, Callable[[Load], float]] = {
        "scripts, ms": lambda load: load.script_ms,
        "all tasks, ms": lambda load: load.tasks_ms,
        "longest task, ms": lambda load: load.longest_ms,
    }
    for part, read in parts.items():
        ours, others = (statistics.median(map(read, loads)) for loads in (with_it, without))
        yield (
            f"{name}: {part}",
            _spread(list(map(read, with_it))),
            _spread(list(map(read, without))),
            f"{ours - others:+.1f}",
        )
    long = [sum(load.longest_ms > LONG_MS for load in loads) for loads in (with_it, without)]
    yield f"{name}: visits with a task over 50 ms", str(long[0]), str(long[1]), f"{long[0] - long[1]:+d}"


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


@contextmanager
def _browser() -> Iterator[Browser]:
    path = os.environ.get("BALIZA_CHROMIUM") or shutil.which("chromium")
    if path is None:
        raise click.ClickException("no Chromium found: run `apt-get install chromium`, or set BALIZA_CHROMIUM to its path")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


@click.command()
@click.option("--rounds", default=15, show_default=True, help="Visits of each kind.")
def main(rounds: int) -> None:
    """Measure what the beacon costs a page with 300 faros; Markdown on standard output."""
    server = PageServer()
    try:
        with _browser() as browser:
            about = ", ".join(f"{name} {value}" for name, value in machine.machine().items())
            click.echo(f"Chromium {browser.version}, {about}; {rounds} visits of each kind.\n")
            rows = [row for rate in (1, 4) for row in load_rows(_label(rate), *pairs(browser, server, rounds, rate))]
            click.echo(table(("CPU of the main thread", "with", "without", "difference"), rows, right=(1, 2, 3)))
            calls = measure_calls(browser, server, max(1, rounds // 3), (0, 100, 1000))
            costs = [(each.name, str(each.waiting), rounded(each.median), rounded(max(each.costs))) for each in calls]
            click.echo(table(("one call", "events waiting", "median, µs", "most, µs"), costs, right=(1, 2, 3)))
            backlogs = [backlog_cost(browser, server, 1000) for _ in range(max(1, rounds // 3))]
            script, longest = _spread([load.script_ms for load in backlogs]), _spread([load.longest_ms for load in backlogs])
            click.echo(f"A page that sends a backlog of 1,000 events: scripts {script} ms, longest task {longest} ms.")
    finally:
        server.stop()


def _label(throttle: float) -> str:
    return "load" if throttle == 1 else f"load, processor {throttle:.0f} × slower"


if __name__ == "__main__":
    main()
