"""baliza responses: how visitors answered what they were offered."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.table import Table

from baliza import stores
from baliza.errors import NotFound
from baliza.settings import Settings, load_settings
from baliza.since import Since
from baliza.sites import load_sites
from baliza.stores import History
from personalizer.feedback.report import Answered, Line, read_answers, report_of, show, total

__all__ = ["responses"]

ASK_TIMEOUT_S: Final = 60.0
DAYS: Final = 30
COUNTS: Final = ("decided", "shown", "clicked", "dismissed", "added", "bought")


@click.command()
@click.option("--site", "name", help="only this site")
@click.option("--since", type=Since(), help=f"decided since: 2026-11-21T10:00 (UTC), or 12h, 7d ago  [{DAYS}d]")
@click.option("--json", "as_json", is_flag=True, help="as JSON, for machines: one object a site")
def responses(name: str | None, since: datetime | None, as_json: bool) -> None:
    """How visitors answered offers: by placement, source and response code, from the decision to the order.

    Shown: half of it was visible for a second, or it was clicked. Added, bought: that item, by the same visitor, within five
    days; each order line counts for one offer. People only.

    \b
    Example: baliza responses --site demo --since 7d
    """
    settings, now = load_settings(), datetime.now(UTC)
    begin = since or now - timedelta(days=DAYS)
    history = History(lambda: stores.clickhouse(settings, ASK_TIMEOUT_S))
    try:
        for site in _sites(settings, name):
            found = read_answers(history, site, begin, now)
            if as_json:
                click.echo(msgspec.json.encode(report_of(site, found, begin, now)).decode())
            else:
                _print(site, found)
    finally:
        history.client().disconnect()


def _sites(settings: Settings, name: str | None) -> list[str]:
    with stores.redis(settings) as redis:
        known = list(stores.call(lambda: load_sites(redis)).by_name)
    if name is None:
        return known
    if name not in known:
        raise NotFound(f"there is no site named {name!r}; `baliza site list` shows all")
    return [name]


def _print(site: str, found: Sequence[Answered]) -> None:
    if not found:
        click.echo(f"{site}: nothing was offered to people who may be remembered")
        return
    # A table that goes into a file or a pipe has all its columns.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(_table(site, found))


def _table(site: str, found: Sequence[Answered]) -> Table:
    table = Table(title=f"{site}: responses to offers", title_justify="left")
    for name in ("placement", "source", "response code"):
        table.add_column(name, no_wrap=True)
    for name in (*COUNTS, "rate", "95 %", "revenue"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in found:
        _add(table, show(each))
    table.add_section()
    _add(table, show(total(found, "all")))
    return table


def _add(table: Table, line: Line) -> None:
    rate = "–" if line.rate is None else f"{line.rate:.2%}"
    bounds = "–" if line.rate_low is None else f"{line.rate_low:.2%} … {line.rate_high:.2%}"
    money = ", ".join(f"{amount:,} {currency}" for currency, amount in line.revenue.items()) or "–"
    counts = [f"{getattr(line, name):,}" for name in COUNTS]
    table.add_row(line.placement, line.source, line.response_code, *counts, rate, bounds, money)
