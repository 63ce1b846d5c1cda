"""baliza quarantine: the events that were refused, with the reason, newest first."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import click
import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table
from rich.text import Text

from baliza import stores
from baliza.settings import load_settings
from baliza.stores import RedisClient, call
from schema import keys

__all__ = ["Quarantined", "newest", "quarantine"]

SHOWN_CHARACTERS: Final = 200


class Quarantined(Struct):
    """One refused event; `event` is what came, or the beginning of it, undecodable bytes replaced."""

    at: datetime
    site: str
    error: str
    event: str


def newest(redis: RedisClient, partitions: int, limit: int, site: str | None = None) -> list[Quarantined]:
    """The newest refused events of all partitions, of one site if named. One round trip; raises StoreDown."""
    pipe = redis.pipeline(transaction=False)
    for partition in range(partitions):
        # Of one site as many may lie behind those of others as there are; each stream is short.
        pipe.xrevrange(keys.quarantine(partition), count=None if site else limit)
    found = [each for entries in call(pipe.execute) for each in _read(entries) if site in (None, each.site)]
    return sorted(found, key=lambda each: each.at, reverse=True)[:limit]


def _read(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> Iterator[Quarantined]:
    for _, fields in entries:
        text = {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
        at = datetime.fromtimestamp(int(text["at"]) / 1000, UTC)
        yield Quarantined(at, text["site"], text["error"], text["event"])


@click.group()
def quarantine() -> None:
    """Events that were refused, with the reason."""


@quarantine.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="how many, newest first")
@click.option("--site", help="only those of this site")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line, for machines")
def list_quarantined(limit: int, site: str | None, as_json: bool) -> None:
    """Show the newest refused events.

    \b
    Example: baliza quarantine list --site lamps --limit 5
    """
    settings = load_settings()
    found = newest(stores.redis(settings), settings.partitions, limit, site)
    if as_json:
        for each in found:
            click.echo(msgspec.json.encode(each).decode())
    elif found:
        Console().print(_table(found))
    else:
        click.echo("nothing in quarantine" + (f" of the site {site}" if site else ""))


def _table(found: list[Quarantined]) -> Table:
    table = Table(show_lines=True)
    columns: dict[str, dict[str, Any]] = {"received (UTC)": {"no_wrap": True}, "site": {}, "error": {}, "event": {}}
    for name, options in columns.items():
        table.add_column(name, **options)
    for each in found:
        cut = each.event if len(each.event) <= SHOWN_CHARACTERS else f"{each.event[:SHOWN_CHARACTERS]}…"
        # What strangers sent is no markup and moves no cursor.
        texts = [_plain(text) for text in (each.site, each.error, cut)]
        table.add_row(f"{each.at:%Y-%m-%d %H:%M:%S}", *texts)
    return table


def _plain(text: str) -> Text:
    return Text("".join(char if char.isprintable() else "�" for char in text))
