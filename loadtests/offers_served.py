"""Offers end to end on a shop of real size: the history is learned by the product's own training, visitors come with their
live profiles, and the public process (one worker) answers GET /v1/offers, with live profile, decision and log.

The shop is RetailRocket's where its log lies beside the repository, else a made-up one of the same size.
`python -m loadtests.offers_served` shows the figures; `make bench` has them, too.
"""

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import quote
from uuid import UUID

import click
import msgspec
import numpy as np

from baliza import stores
from baliza.settings import Settings
from demo.walks import instant
from loadtests.client import Load, for_seconds, request, send
from loadtests.collecting import accepted
from loadtests.figures import Figure, percentile, table
from loadtests.loading import curve_point
from loadtests.offering import has_offers
from loadtests.offers_generate import generated
from loadtests.offers_split import real_split
from loadtests.payloads import BROWSER, KEY, SECRET, SHOP
from loadtests.processes import cpu_s, load_core
from loadtests.servers import Box, Server, answers_204, box, empty_flask
from loadtests.steady import Curve
from personalizer.evaluation.log import read_log
from personalizer.evaluation.split import split_of
from personalizer.learning.train import Trained, train
from personalizer.models.behaviour import VIEW, Behaviour

__all__ = ["CPU", "P90", "PART", "Visit", "asked", "fill", "main", "measure", "shop"]

PART: Final = "offers, end to end"
CPU: Final = "offers of a real shop, per CPU second"
P90: Final = "offers of a real shop, p90 at 1,000 a second"
RATE: Final = 1_000.0
IN_FLIGHT: Final = (1, 16)
SHARES: Final = (0.1, 0.5, 0.75, 0.9, 1.1)
VISITORS: Final = 2_000
ROWS_AT_ONCE: Final = 50_000
MADE_UP: Final = (126_000, 37_000)  # sessions, items
PERIOD_DAYS: Final = 400
# Facts that no log tells are functions of the item: forty shelves, prices from 5 to 204.
FILL: Final = """
INSERT INTO events (site, event_id, type, occurred_at, received_at, visitor_id, session_id, session_opened_at, session_event,
    sender, page_url, page_path, currency, item_ids, item_names, item_brands, item_categories, item_prices, item_quantities,
    item_urls, item_images)
SELECT 'bench', concat('e-', toString(number)), kind, fromUnixTimestamp64Milli(at_ms, 'UTC') AS at, at,
    concat('v-', toString(session)), concat('s-', toString(session)), at, 1, 'server', '', '', 'EUR',
    [item], [concat('Item ', item)], [''], [concat('Shelf ', toString(cityHash64(item) % 40))],
    [toDecimal64(5 + cityHash64(item) % 200, 6)], [1], [concat('https://shop.example/p/', item)], ['']
FROM input('number UInt64, session UInt64, item String, at_ms Int64, kind String')
FORMAT Native
"""
KIND_NAMES: Final = ("view_item", "add_to_cart", "purchase")


@dataclass(frozen=True)
class Visit:
    """A visitor who is in the shop now: what they have viewed, the last on the page that asks."""

    visitor: str
    items: Sequence[str]


def shop() -> tuple[Behaviour, list[str], Behaviour, str]:
    """Behaviour of the past, the items' ids, behaviour of those who come now, and what it is."""
    if files := real_split():
        split = split_of(*map(read_log, files))
        return split.train, [name.decode() for name in split.item_ids.tolist()], split.test, "RetailRocket"
    past, now = generated(*MADE_UP, seed=1), generated(5_000, MADE_UP[1], seed=1, drawn=2)
    return past.behaviour, [str(item) for item in range(past.n_items)], now.behaviour, "made up"


def fill(settings: Settings, behaviour: Behaviour, item_ids: Sequence[str], until: datetime) -> int:
    """Write the past into the history, moved in time so that it ends at `until`; answers its events. Blocks."""
    client = stores.clickhouse(settings)
    at_ms = behaviour.times * 1000 + (int(until.timestamp() * 1000) - int(behaviour.times.max()) * 1000)
    sessions = np.repeat(np.arange(len(behaviour)), np.diff(behaviour.starts))
    for begin in range(0, len(at_ms), ROWS_AT_ONCE):
        part = slice(begin, begin + ROWS_AT_ONCE)
        items = [item_ids[item] for item in behaviour.items[part].tolist()]
        kinds = [KIND_NAMES[kind] for kind in behaviour.kinds[part].tolist()]
        numbers = list(range(begin, begin + len(items)))
        columns = [numbers, sessions[part].tolist(), items, at_ms[part].tolist(), kinds]
        client.execute(FILL, columns, columnar=True)
    client.disconnect()
    return len(at_ms)


def _visits(behaviour: Behaviour, item_ids: Sequence[str]) -> list[Visit]:
    """Of each session the first half of its views, as far as the items are known."""
    found = []
    for number in range(min(len(behaviour), VISITORS)):
        part = slice(behaviour.starts[number], behaviour.starts[number + 1])
        views = [item for item in behaviour.items[part][behaviour.kinds[part] == VIEW].tolist() if item < len(item_ids)]
        if views:
            found.append(Visit(_visitor(number), [item_ids[item] for item in views[: (len(views) + 1) // 2]]))
    return found


def _visitor(number: int) -> str:
    """As long as the beacon makes them: with the publishable key a shorter id names nobody."""
    return str(UUID(int=Random(number).getrandbits(128), version=4))


def _posts(visits: Sequence[Visit], now: datetime) -> Iterator[bytes]:
    """The visits so far, as the shop's server sends them."""
    headers = {**BROWSER, "Authorization": f"Bearer {SECRET}"}
    for visit in visits:
        begin = now - timedelta(seconds=20 * len(visit.items))
        events = [
            {
                "event_id": f"{visit.visitor}-{place}",
                "type": "view_item",
                "occurred_at": instant(begin + timedelta(seconds=20 * place)),
                "page": {"url": f"{SHOP}/p/{item}"},
                "currency": "EUR",
                "items": [{"item_id": item, "item_name": f"Item {item}", "price": 20.0, "quantity": 1}],
            }
            for place, item in enumerate(visit.items)
        ]
        body = {"visitor": visit.visitor, "sent_at": instant(now), "events": events}
        yield request("POST", "/o", headers, msgspec.json.encode(body))


def asked(visits: Sequence[Visit]) -> Iterator[bytes]:
    """Endless GET /v1/offers of these visitors in turn, on the page of what they viewed last, from the browser."""
    headers = {name: BROWSER[name] for name in ("User-Agent", "Origin", "Referer")}
    for number in itertools.count():
        visit = visits[number % len(visits)]
        query = f"key={KEY}&visitor={quote(visit.visitor)}&placement=product-detail&item_id={quote(visit.items[-1])}&limit=4"
        yield request("GET", f"/v1/offers?{query}", headers)


def measure(folder: Path, seconds: float, tell: Callable[[str], None]) -> tuple[list[Figure], Curve]:
    """Fill, learn, serve, ask; then the empty Flask view, asked in the same way. Blocks for minutes. LoadError."""
    past, item_ids, coming, name = shop()
    now = datetime.now(UTC)
    with box(folder / "shop", with_history=True) as opened:
        tell(f"offers, end to end: writing the history of {name}")
        events = fill(opened.settings, past, item_ids, now - timedelta(hours=1))
        tell(f"offers, end to end: learning from {events:,} events")
        began = time.perf_counter()
        trained = _train(opened)
        note = (
            f"{name}: {events:,} events, {trained.sessions:,} sessions, {trained.items:,} items, from ClickHouse to the file"
        )
        figures = [Figure(PART, "training, end to end", time.perf_counter() - began, "s", note)]
        visits = _visits(coming, item_ids)
        with opened.serving("public") as public:
            send(public.address, _posts(visits, datetime.now(UTC)), 8, accepted).expect_all_good("visits")
            found, curve = _asked(public, visits, seconds, tell)
    return figures + found + _empty(folder, seconds, tell), curve


def _train(opened: Box) -> Trained:
    client = stores.clickhouse(opened.settings)
    settings = replace(opened.settings, train_days=PERIOD_DAYS)
    trained = train(stores.History(lambda: client), settings, opened.site, datetime.now(UTC))
    client.disconnect()
    assert trained is not None, "the history was just written"
    return trained


def _asked(
    public: Server, visits: Sequence[Visit], seconds: float, tell: Callable[[str], None]
) -> tuple[list[Figure], Curve]:
    _load(public, visits, 4, min(seconds, 2.0))
    figures = []
    for in_flight in IN_FLIGHT:
        tell(f"offers, end to end: {in_flight} in flight")
        before = cpu_s(public.pids)
        load = _load(public, visits, in_flight, seconds)
        used = cpu_s(public.pids) - before
        figures += _figures(load, in_flight, used)
    most = load.answered / load.wall_s
    figures.append(Figure(PART, CPU, load.answered / used, "requests/CPU s", "16 in flight, the live store's work included"))
    tell(f"offers, end to end: {RATE:,.0f} requests a second")
    steady = curve_point(public, asked(visits), has_offers, RATE / most, most, seconds)
    figures.append(Figure(PART, P90, steady.p90_ms, "ms", f"open loop; {steady.answered:,.0f} answered a second"))
    figures.append(Figure(PART, "offers of a real shop, p99 at 1,000 a second", steady.p99_ms, "ms", "the same"))
    points = []
    for share in SHARES:
        tell(f"offers, end to end: {share:.0%} of {most:,.0f} requests a second")
        points.append(curve_point(public, asked(visits), has_offers, share, most, seconds / 2))
    return figures, Curve("offers-real", "requests", points)


def _load(public: Server, visits: Sequence[Visit], in_flight: int, seconds: float) -> Load:
    with load_core():
        load = send(public.address, for_seconds(asked(visits), seconds), in_flight, has_offers)
    load.expect_all_good("offers")
    return load


def _figures(load: Load, in_flight: int, used_s: float) -> list[Figure]:
    about = f"offers of a real shop, {in_flight} in flight"
    rate = Figure(PART, f"answered, {about}", load.answered / load.wall_s, "requests/s", "one worker, 4 offers an answer")
    cost = Figure(PART, f"CPU, {about}", used_s * 1e6 / load.answered, "µs per request", "Valkey included")
    p90 = Figure(PART, f"p90, {about}", percentile(load.latencies_s, 0.9) * 1000, "ms")
    return [rate, cost, p90]


def _empty(folder: Path, seconds: float, tell: Callable[[str], None]) -> list[Figure]:
    """The least that a Flask view costs, for comparison: it reads nothing and answers 204."""
    tell("offers, end to end: empty Flask view")
    raw = request("POST", "/o", BROWSER, b"{}")
    with empty_flask(folder, "gevent_pywsgi") as server:
        assert answers_204(server.url)
        before = cpu_s(server.pids)
        with load_core():
            load = send(server.address, for_seconds(itertools.repeat(raw), seconds), 16, lambda answer: answer.status == 204)
        load.expect_all_good("empty view")
        used = cpu_s(server.pids) - before
    note = "gevent_pywsgi; no store, no model"
    return [Figure(PART, "empty Flask view, 16 in flight, per CPU second", load.answered / used, "requests/CPU s", note)]


@click.command()
@click.option("--seconds", type=click.FloatRange(0.5), default=6.0, show_default=True, help="Of each load.")
def main(seconds: float) -> None:
    """Offers end to end on a shop of real size; a table on standard output."""
    with tempfile.TemporaryDirectory(prefix="baliza-served-") as name:
        figures, curve = measure(Path(name), seconds, lambda text: click.echo(text, err=True))
    rows = [(figure.name, f"{figure.value:,.3f}", figure.unit, figure.note) for figure in figures]
    click.echo(table(("what", "figure", "unit", "note"), rows, right=(1,)))
    for point in curve.points:
        click.echo(f"{point.share:.0%}: {point.answered:,.0f}/s, p50 {point.p50_ms:.2f} p90 {point.p90_ms:.2f} ms")


if __name__ == "__main__":
    main()
