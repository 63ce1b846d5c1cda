"""`baliza catalogue`: take feeds, look at what is sold, take items out."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from baliza import stores
from baliza.errors import BadRequest, NotFound
from baliza.settings import Settings, load_settings
from baliza.sites import Site, load_sites
from baliza.stores import RedisClient, call
from personalizer.catalogue.feeds import FORMATS, opened, rows_of, sniffed
from personalizer.catalogue.importing import Importer, Report, importer_of
from personalizer.catalogue.item import decode_item
from personalizer.catalogue.overlap import overlap
from personalizer.catalogue.shown import shown, written
from personalizer.catalogue.store import CatalogueStore
from personalizer.models.store import ModelStore

__all__ = ["catalogue"]

MAX_BAD_SHOWN = 20
SOME_REFUSED = 1


@click.group()
def catalogue() -> None:
    """What the shop sells: price, stock, margin, taken from the feed that it has already."""


_site_option = click.option("--site", "name", help="the site; may be left out when there is only one")


@catalogue.command("import")
@click.argument("feed")
@_site_option
@click.option("--format", "kind", type=click.Choice(["auto", *FORMATS]), default="auto", show_default=True)
@click.option(
    "--replace/--merge", default=True, show_default=True, help="the feed is all that is sold, or adds to what is known"
)
@click.option("--dry-run", is_flag=True, help="say what would happen and change nothing")
@click.option("--force", is_flag=True, help="also when more than half of the catalogue would go")
@click.option("--json", "as_json", is_flag=True, help="the whole report as JSON")
def import_feed(feed: str, name: str | None, kind: str, replace: bool, dry_run: bool, force: bool, as_json: bool) -> int:
    """Take a product feed: Google's XML (RSS, Atom) or TSV, CSV, JSON lines; also compressed with gzip. - reads from a pipe.

    Bad rows are listed and left out, the good ones are taken; then the exit code is 1. A file that is broken, or would
    remove more than half of the catalogue, changes nothing: exit code 2. The same feed again changes nothing.

    \b
    Example: baliza catalogue import feed.xml --site lamps
             curl -s https://shop.example/feed.xml.gz | baliza catalogue import - --site lamps
             baliza catalogue import stock.csv --merge        (columns id and availability are enough)
    """
    settings = load_settings()
    with stores.redis(settings) as redis, _opened(feed) as file:
        site = _site(redis, name)
        importer = _importer(redis, settings, site)
        stream = opened(file, settings.catalogue_max_mb * 1024 * 1024)
        rows = rows_of(stream, sniffed(stream) if kind == "auto" else kind)  # type: ignore[arg-type]
        with _progress() as show:
            report = importer.run(rows, "replace" if replace else "merge", dry_run=dry_run, force=force, progress=show)
        if replace and not dry_run:
            found = overlap(CatalogueStore(redis, settings.partitions), ModelStore(settings.model_dir), site.name)
            report = msgspec.structs.replace(report, warning=found.warning if found else "")
    click.echo(msgspec.json.format(msgspec.json.encode(report)).decode() if as_json else _told(report), nl=as_json)
    return SOME_REFUSED if report.refused else 0


@catalogue.command("list")
@_site_option
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="items at most")
@click.option("--json", "as_json", is_flag=True, help="one JSON object in each line; `import --format jsonl` takes it back")
def list_items(name: str | None, limit: int, as_json: bool) -> None:
    """List the items of the catalogue, in no particular order.

    \b
    Example: baliza catalogue list --site lamps --limit 1000000 --json > catalogue.jsonl
    """
    settings = load_settings()
    with stores.redis(settings) as redis:
        store, site = CatalogueStore(redis, settings.partitions), _site(redis, name).name
        for number, (item_id, row) in enumerate(_rows(store, site)):
            if number == limit:
                click.echo(f"… and more: {store.size(site)} in all; --limit shows them", err=True)
                return
            entry = shown(item_id, decode_item(row))
            click.echo(msgspec.json.encode(entry).decode() if as_json else _line(entry))


@catalogue.command("show")
@click.argument("item_id")
@_site_option
def show_item(item_id: str, name: str | None) -> None:
    """Show all that feeds say of an item.

    \b
    Example: baliza catalogue show LAMP-1 --site lamps
    """
    settings = load_settings()
    with stores.redis(settings) as redis:
        site = _site(redis, name).name
        item = CatalogueStore(redis, settings.partitions).get(site, item_id)
    if item is None:
        raise NotFound(f"the catalogue of {site} has no item {item_id!r}; `baliza catalogue list` shows all")
    for attribute, value in shown(item_id, item).items():
        click.echo(f"{attribute:26} {written(value)}")


@catalogue.command("remove")
@click.argument("item_ids", nargs=-1)
@_site_option
@click.option("--all", "everything", is_flag=True, help="forget the whole catalogue, as if there never had been a feed")
def remove(item_ids: tuple[str, ...], name: str | None, everything: bool) -> None:
    """Take items out of the catalogue. A feed that has them brings them back.

    \b
    Example: baliza catalogue remove LAMP-1 LAMP-2 --site lamps
    """
    if bool(item_ids) == everything:
        raise BadRequest("expected ids of items or --all")
    settings = load_settings()
    with stores.redis(settings) as redis:
        importer = _importer(redis, settings, _site(redis, name))
        if everything:
            click.echo(f"{importer.clear()} items removed; what visitors looked at lately is offered again")
            return
        removed = importer.remove(item_ids)
    missing = sorted(set(item_ids) - set(removed))
    click.echo(f"{len(removed)} items removed")
    if missing:
        raise NotFound(f"not in the catalogue: {', '.join(missing[:20])}")


def _importer(redis: RedisClient, settings: Settings, site: Site) -> Importer:
    return importer_of(redis, settings, site, lambda: time.time_ns() // 1_000_000)


def _site(redis: RedisClient, name: str | None) -> Site:
    known = call(lambda: load_sites(redis)).by_name
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name is None:
        raise BadRequest(f"expected --site, because there are {len(known)} sites; `baliza site list` shows them")
    if name not in known:
        raise NotFound(f"there is no site named {name!r}; `baliza site list` shows all")
    return known[name]


@contextmanager
def _opened(feed: str) -> Iterator[BinaryIO]:
    if feed == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(feed).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise BadRequest(f"{feed} cannot be read: {error.strerror}") from None
    with file:
        yield file


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    with Progress(
        TextColumn("{task.description}"), TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("reading the feed")
        yield lambda rows: bar.update(task, description=f"reading the feed: {rows} rows")


def _rows(store: CatalogueStore, site: str) -> Iterator[tuple[str, bytes]]:
    return (row for partition in range(store.partitions) for row in store.rows(site, partition))


def _line(entry: dict[str, object]) -> str:
    words = (entry.get(name, "") for name in ("id", "availability", "price", "title"))
    item_id, availability, price, title = map(str, words)
    return f"{item_id:24} {availability or '-':13} {price:>16}  {title}".rstrip()


def _told(report: Report) -> str:
    lines = [
        f"{report.rows} rows: {report.taken} taken, {report.refused} refused",
        f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged, {report.removed} removed; "
        f"{report.items} items in the catalogue",
    ]
    if report.kept:
        lines.append(f"{report.kept} items of refused rows stay as they were")
    if report.ignored:
        lines.append(f"attributes that are not used: {', '.join(report.ignored)}")
    shown_bad = report.bad[:MAX_BAD_SHOWN]
    lines += [f"line {bad.line}: {f'{bad.item_id}: ' if bad.item_id else ''}{bad.reason}" for bad in shown_bad]
    if report.refused > len(shown_bad):
        lines.append(f"… and {report.refused - len(shown_bad)} more; --json lists {len(report.bad)}")
    if report.warning:
        lines.append(f"warning: {report.warning}")
    if report.dry_run:
        lines.append("nothing was changed, because this was a dry run")
    return "".join(f"{line}\n" for line in lines)
