"""baliza quarantine: what was refused or cannot be stored, with the reason; look at it, take it in again, or delete it."""

import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final
from uuid import uuid4

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from baliza import stores
from baliza.lease import Lease
from baliza.settings import load_settings
from baliza.since import Since
from baliza.sites import load_sites
from baliza.stores import History
from tracker.quarantine import REFUSED, Kept, Tallied, all_kept, delete, find, newest, tallied
from tracker.quarantine_replay import STAYS, Again

__all__ = ["quarantine"]

SHOWN_CHARACTERS: Final = 200
REASONS_SHOWN: Final = 10


@click.group()
def quarantine() -> None:
    """Events that were refused or cannot be stored, with the reason."""


def which(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which of them."""
    for option in (
        click.option("--since", type=Since(), help="received since: 2026-11-21T10:00 (UTC), or 90m, 12h, 7d ago"),
        click.option("--reason", default="", help="only those whose reason has this in it"),
        click.option("--site", help="only those of this site"),
    ):
        command = option(command)
    return command


@quarantine.command("list")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="how many, newest first")
@which
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line, for machines")
def list_kept(limit: int, site: str | None, reason: str, since: datetime | None, as_json: bool) -> None:
    """Show what is kept aside, newest first.

    \b
    Example: baliza quarantine list --site lamps --reason "known fields" --since 12h
    """
    settings = load_settings()
    redis = stores.redis(settings)
    found = newest(all_kept(redis, settings.partitions, site, reason, since), limit)
    if as_json:
        for each in found:
            click.echo(msgspec.json.encode(each.shown()).decode())
        return
    if found:
        # A table that goes into a file or a pipe has room.
        (Console() if sys.stdout.isatty() else Console(width=200)).print(_table(found))
    else:
        click.echo("nothing in quarantine" + (f" of the site {site}" if site else ""))
    for line in _summary(tallied(redis, settings.partitions), len(found), limit):
        click.echo(line)


def _summary(tally: Tallied, shown: int, limit: int) -> Iterator[str]:
    if shown == limit < tally.refused + tally.unstored:
        yield f"{shown} shown of {tally.refused} refused and {tally.unstored} accepted that cannot be stored"
    if tally.thrown:
        yield f"{tally.thrown} older ones had to make room and are gone: newer ones were too many or too large"


@quarantine.command()
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="as one JSON object, for machines")
def show(name: str, as_json: bool) -> None:
    """Show one of them whole.

    \b
    Example: baliza quarantine show r-17-1763719200000-0
    """
    kept = _found(name)
    if as_json:
        click.echo(msgspec.json.encode(kept.shown()).decode())
        return
    for title, said in _facts(kept):
        click.echo(f"{title:9} {_plain(said)}")
    click.echo()
    click.echo(_readable(kept.event))


def _found(name: str) -> Kept:
    settings = load_settings()
    kept = find(stores.redis(settings), settings.partitions, name)
    if kept is None:
        raise click.ClickException(f"nothing has the id {name!r}; `baliza quarantine list` shows what there is")
    return kept


def _facts(kept: Kept) -> Iterator[tuple[str, str]]:
    yield "id", kept.id
    yield "kind", "refused" if kept.kind == REFUSED else "accepted, cannot be stored"
    yield "received", f"{kept.at:%Y-%m-%d %H:%M:%S} UTC"
    yield "site", kept.site or "(unknown)"
    yield "sender", kept.sender or "(unknown)"
    yield "visitor", kept.visitor or "(unknown)"
    yield "error", kept.error
    if kept.cut:
        yield "cut", "only the beginning was kept"


def _readable(event: str) -> str:
    try:
        whole = msgspec.json.format(event.encode(), indent=2).decode()
    except (ValueError, RecursionError):
        whole = event
    return "\n".join(str(_plain(line)) for line in whole.split("\n"))


@quarantine.command("delete")
@click.argument("names", metavar="[ID]...", nargs=-1)
@which
@click.option("--all", "everything", is_flag=True, help="everything, when no ID and no option says which")
@click.option("--yes", is_flag=True, help="do not ask")
def delete_kept(
    names: tuple[str, ...], site: str | None, reason: str, since: datetime | None, everything: bool, yes: bool
) -> None:
    """Delete some of them for good. Accepted events that cannot be stored count as rejected from then on.

    \b
    Example: baliza quarantine delete --reason "at most 32768 bytes" --yes
    """
    said = bool(site or reason or since)
    if bool(names) + said + everything != 1:
        raise click.UsageError("expected either IDs, or --site, --reason, --since, or --all")
    settings = load_settings()
    redis = stores.redis(settings)
    chosen = [_found(name) for name in names] or list(all_kept(redis, settings.partitions, site, reason, since))
    if chosen and not yes:
        click.confirm(f"delete {len(chosen)} for good?", abort=True)
    gone = sum(delete(redis, kept) for kept in chosen)
    click.echo(f"{gone} deleted")


@quarantine.command("replay")
@click.argument("names", metavar="[ID]...", nargs=-1)
@which
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=1_000, show_default=True, help="how many at most")
@click.option("--dry-run", is_flag=True, help="only say what would become of them")
def replay_kept(
    names: tuple[str, ...], site: str | None, reason: str, since: datetime | None, limit: int, dry_run: bool
) -> None:
    """Take in again what was refused or could not be stored, after a fix; as of the time at which it came.

    What is taken in, or turns out to be a duplicate, leaves quarantine. Exit code 1 when something stays.

    \b
    Example: baliza quarantine replay --site lamps --reason "currency" --dry-run
    """
    settings = load_settings()
    redis = stores.redis(settings)
    history = History(lambda: stores.clickhouse(settings))
    registry = stores.call(lambda: load_sites(redis))
    again = Again(redis, history, settings, registry, lambda: time.time_ns() // 1_000_000)
    if names:
        chosen = [_found(name) for name in names]
    else:
        # All of them before the first: what goes back to ingest may come back at once.
        chosen = list(islice(all_kept(redis, settings.partitions, site, reason, since), limit))
    lease = Lease(redis, "quarantine-replay", f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex}", time.monotonic)
    fates: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    try:
        for kept in chosen:
            if not dry_run and not lease.hold():
                raise click.ClickException("another replay is going on; this one would count events twice")
            fate = again.take(kept, dry_run=dry_run)
            fates[fate.name] += 1
            if fate.why:
                reasons[fate.why] += 1
    finally:
        lease.release()
        _tell(fates, reasons, dry_run=dry_run)
    sys.exit(1 if fates[STAYS] else 0)


def _tell(fates: Counter[str], reasons: Counter[str], *, dry_run: bool) -> None:
    title = "would be" if dry_run else "replayed"
    counts = ", ".join(f"{count} {name}" for name, count in fates.most_common()) or "nothing to do"
    click.echo(f"{title}: {counts}")
    for why, count in reasons.most_common(REASONS_SHOWN):
        click.echo(f"  {count} stay: {_plain(why)}")


def _table(found: list[Kept]) -> Table:
    table = Table(show_lines=True)
    columns: dict[str, dict[str, Any]] = {
        "received (UTC)": {"no_wrap": True}, "id": {"no_wrap": True}, "site": {}, "error": {"min_width": 20}, "event": {},
    }  # fmt: skip
    for name, options in columns.items():
        table.add_column(name, **options)
    for each in found:
        cut = each.event if len(each.event) <= SHOWN_CHARACTERS else f"{each.event[:SHOWN_CHARACTERS]}…"
        # What strangers sent is no markup and moves no cursor.
        texts = [_plain(text) for text in (each.site, each.error, cut)]
        table.add_row(f"{each.at:%Y-%m-%d %H:%M:%S}", each.id, *texts)
    return table


def _plain(text: str) -> Text:
    return Text("".join(char if char.isprintable() else "�" for char in text))
