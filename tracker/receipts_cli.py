"""baliza receipts: whether every event that came in is accounted for."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final

import click
import msgspec
from rich.console import Console
from rich.table import Table

from baliza import stores
from baliza.settings import Settings, load_settings
from baliza.since import Since
from baliza.stores import History
from tracker.ingest import oldest_waiting_s
from tracker.receipts import Line, Receipts, read_receipts, total

__all__ = ["receipts"]

COLUMNS: Final = ("received", "stored", "bot", "duplicate", "consent", "rejected", "waiting")
ASK_TIMEOUT_S: Final = 60.0


@click.command()
@click.option("--site", default="", help="only this site")
@click.option("--since", type=Since(), help="from the hour of this time on: 2026-11-21T10:00 (UTC), or 12h, 7d ago")
@click.option("--hours", type=click.IntRange(1, 8784), help="so many hours from there on; without --since the last  [24]")
@click.option("--json", "as_json", is_flag=True, help="as JSON, for machines")
@click.option("--check", is_flag=True, help="say nothing unless something is wrong; exit code 1 if it is")
def receipts(site: str, since: datetime | None, hours: int | None, as_json: bool, check: bool) -> None:
    """What became of every event that came in, by site and hour of receipt (UTC).

    received = stored + bot + duplicate + dropped by consent + rejected + waiting. What is missing is the difference: above
    0, events were taken in and are in neither store; below 0, the history has more than were taken in.

    \b
    Example, for a monitor: baliza receipts --hours 48 --check
    """
    settings, now = load_settings(), datetime.now(UTC)
    begin, end = _window(since, hours, now)
    redis = stores.redis(settings)
    history = History(lambda: stores.clickhouse(settings, ASK_TIMEOUT_S))
    try:
        found = read_receipts(redis, history, settings, begin, end, site)
        oldest_s = oldest_waiting_s(redis, settings.partitions, round(now.timestamp() * 1000))
    finally:
        history.client().disconnect()
    if check and found.sound:
        return
    if as_json:
        click.echo(msgspec.json.encode(_facts(found, oldest_s)).decode())
    elif found.lines:
        # A table that goes into a file or a pipe has all its columns.
        console = Console() if sys.stdout.isatty() else Console(width=200)
        console.print(_table(found))
    else:
        click.echo("nothing came in")
    if not as_json:
        for line in _notes(found, settings, oldest_s):
            click.echo(line)
    if check:
        sys.exit(1)


def _window(since: datetime | None, hours: int | None, now: datetime) -> tuple[datetime, datetime]:
    """The first and the last moment: the last 24 hours unless told otherwise."""
    if since is None:
        return now - timedelta(hours=(hours or 24) - 1), now
    return since, min(now, since + timedelta(hours=hours - 1)) if hours else now


def _facts(found: Receipts, oldest_s: float) -> dict[str, Any]:
    return {
        "sound": found.sound,
        "settled": found.settled,
        "waiting_entries": found.entries,
        "set_aside_entries": found.set_aside,
        "oldest_waiting_s": round(oldest_s, 1),
        "receipts": found.lines,
    }


def _notes(found: Receipts, settings: Settings, oldest_s: float) -> Iterator[str]:
    if not found.sound:
        yield "THE SUM DOES NOT HOLD: above 0 events are missing in the history, below 0 it has more than were taken in"
    if not found.settled:
        yield "a batch was being written meanwhile: some events may be counted as waiting and as stored"
    if found.entries:
        late = " (too old: /ready answers 503)" if oldest_s > settings.ready_max_lag_s else ""
        yield f"{found.entries} requests wait for the history, the oldest for {oldest_s:.0f} s{late}"
    if found.set_aside:
        yield f"{found.set_aside} of them cannot be stored: `baliza quarantine list` says why"


def _table(found: Receipts) -> Table:
    table = Table(title="receipts, by hour (UTC)", title_justify="left")
    table.add_column("hour", no_wrap=True)
    table.add_column("site")
    for name in (*COLUMNS, "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in found.lines:
        _add(table, f"{line.hour:%Y-%m-%d %H}:00", line)
    table.add_section()
    for site, lines in groupby(sorted(found.lines, key=lambda line: line.site), key=lambda line: line.site):
        _add(table, "total", total(list(lines), site))
    return table


def _add(table: Table, title: str, line: Line) -> None:
    cells = [f"{getattr(line, name):,}" for name in COLUMNS]
    wrong = bool(line.difference)
    table.add_row(title, line.site, *cells, f"{line.difference:+,}" if wrong else "0", style="bold red" if wrong else None)
