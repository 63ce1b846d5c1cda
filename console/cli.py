"""`baliza report`: the console's reports on the command line."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from baliza.errors import NotFound
from baliza.readiness.rules import PURPOSES
from baliza.settings import Settings, load_settings
from baliza.sites import Site, load_sites
from baliza.stores import History, call, clickhouse, redis
from console import reports
from console.export import csv_lines
from console.filters import MAX_LIMIT, PERIODS, parse_filter, zone_of
from console.rows import Page, SessionRow, Summary
from console.showing import clock, day, length, money, outcome, share
from console.strings import counted, text

__all__ = ["report"]

EXAMPLE = """\b
Example: yesterday's carts that were left, newest first, as a spreadsheet:
    baliza report sessions --site demo --period yesterday --abandoned --format csv > carts.csv
"""
OUTCOME_STYLES = {"bought": "green", "abandoned": "yellow", "cart": "cyan", "bot": "red", "browsed": "dim"}
WIDE = 130  # columns of a terminal from which on whole visitor ids and all numbers have room
VISITOR_WIDTH = 14


@click.group()
def report() -> None:
    """Reports: what visitors did."""


@report.command(epilog=EXAMPLE)
@click.option("--site", "site_name", required=True, help="Name of the site.")
@click.option("--period", type=click.Choice(list(PERIODS)), help="Days of the site's zone; 7d unless dates are given.")
@click.option("--since", default="", help="First day (2026-11-21) or instant; a bare date is in the site's zone.")
@click.option("--until", default="", help="Last day, or the instant before which sessions begin.")
@click.option("--purchased/--not-purchased", default=None, help="Only sessions with, or without, a purchase.")
@click.option("--abandoned/--not-abandoned", default=None, help="Only sessions that left, or did not leave, a cart behind.")
@click.option("--purpose", type=click.Choice(PURPOSES), help="Only sessions with this purpose.")
@click.option("--source", default="", help="Only sessions that came from here.")
@click.option("--device", default="", help="Only sessions on this kind of device.")
@click.option("--bots", is_flag=True, help="Include bots.")
@click.option("--limit", default=100, show_default=True, help=f"Sessions to show, at most {MAX_LIMIT}.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
def sessions(site_name: str, form: str, **options: str | bool | int | None) -> None:
    """Sessions, newest first, with their totals."""
    settings, now = load_settings(), datetime.now(UTC)
    site = _site(settings, site_name)
    wanted, zone = parse_filter(_arguments(options), site, now), zone_of(site)
    with _opened(settings) as history:
        page = reports.sessions(history, wanted, settings.cart_idle_s, now)
        summary = reports.summary(history, wanted, settings.cart_idle_s, now, zone)
    if form == "csv":
        for line in csv_lines(page.sessions, zone):
            click.echo(line, nl=False)
    elif form == "json":
        body = {"site": site.name, "summary": summary, "sessions": page.sessions, "next": page.next}
        click.echo(msgspec.json.encode(body))
    else:
        _show(page, summary, zone)


@contextmanager
def _opened(settings: Settings) -> Iterator[History]:
    history = History(lambda: clickhouse(settings))
    try:
        yield history
    finally:
        history.client().disconnect()


def _site(settings: Settings, name: str) -> Site:
    with closing(redis(settings)) as live_store:
        known = call(lambda: load_sites(live_store)).by_name
    if name not in known:
        raise NotFound(f"there is no site named {name!r}; expected one of: {', '.join(sorted(known)) or 'none made yet'}")
    return known[name]


def _arguments(options: dict[str, str | bool | int | None]) -> dict[str, str]:
    """The options as the arguments that a request would carry, so that both are judged by the same rules."""
    given = {name: value for name, value in options.items() if value is not None}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}


def _show(page: Page, summary: Summary, zone: ZoneInfo) -> None:
    console = Console()
    if not page.sessions:
        console.print(text("command.none"))
        return
    console.print(_table(page.sessions, zone, wide=console.width >= WIDE))
    parts = [
        counted("sessions", summary.sessions),
        f"{summary.with_purchase:,} {text('chart.bought')} ({share(summary.with_purchase, summary.sessions)})",
        f"{text('tile.abandoned')}: {summary.with_abandoned_cart:,}",
        *(money(amount, currency) for currency, amount in summary.revenue.items()),
    ]
    console.print(" · ".join(parts), style="bold")
    if page.next:
        console.print(text("command.more", most=MAX_LIMIT), style="dim")


def _table(rows: list[SessionRow], zone: ZoneInfo, wide: bool) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(text("table.started"), no_wrap=True)
    table.add_column(text("table.visitor"), no_wrap=True, max_width=None if wide else VISITOR_WIDTH)
    table.add_column(text("table.came"), no_wrap=wide, overflow="ellipsis")
    if wide:
        table.add_column(text("table.device"), no_wrap=True)
    for column in ("pages", "items", "length", "cart") if wide else ("pages", "cart"):
        table.add_column(text(f"table.{column}"), justify="right", no_wrap=True)
    table.add_column(text("table.purpose"), no_wrap=True)
    table.add_column(text("table.outcome"), no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row, zone, wide))
    return table


def _cells(row: SessionRow, zone: ZoneInfo, wide: bool) -> Iterator[str]:
    yield f"{day(row.started_at, zone)} {clock(row.started_at, zone)}"
    yield _cell(row.customer_id or row.visitor_id)
    yield _cell(" / ".join(part for part in (row.source, row.medium) if part))
    if wide:
        yield _cell(row.device)
    yield f"{row.page_views:,}"
    if wide:
        yield f"{row.item_views:,}"
        yield length(row.duration_s)
    yield money(row.cart_value, row.cart_currency) if row.cart_pieces else ""
    yield text(f"purpose.{row.purpose}")
    kind = outcome(row)
    ended = [text(f"outcome.{kind}"), *(money(amount, currency) for currency, amount in row.revenue.items())]
    yield f"[{OUTCOME_STYLES[kind]}]{' '.join(ended)}[/]"


def _cell(said: str) -> str:
    """What a visitor's browser said, without what a terminal would obey."""
    return escape("".join(character if character.isprintable() else "?" for character in said))
