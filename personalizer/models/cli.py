"""`baliza model`: which models there are, how good they were found, and which one serves."""

from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from baliza.errors import NotFound
from baliza.settings import load_settings
from personalizer.models.next_item.compiled import COMPILED, keep_at_hand, warm
from personalizer.models.store import ModelStore
from personalizer.offers import merging as _merging  # noqa: F401 - what it declares is compiled with the rest

__all__ = ["model"]

NEWEST = "newest"
WIDTH = 160  # of a table that is written into a file
site_option = click.option("--site", required=True, help="Name of the site.")


@click.group()
def model() -> None:
    """Models: list them, look at one, choose the one that serves."""


@model.command("list")
@site_option
def list_(site: str) -> None:
    """The versions on disk, newest first, with what they learned from and how good they were found.

    \b
    Example:
        baliza model list --site shop
    """
    store = _store(site)
    current, held = store.current(site), store.held(site)
    table = Table("version", "state", "sessions", "items", "learned", "MRR on the last day")
    for version in reversed(store.versions(site)):
        meta = store.meta(site, version)
        counts, state = meta.get("counts", {}), _state(version, current, held, meta)
        sizes = (_figure(counts.get(name)) for name in ("sessions", "items"))
        table.add_row(version, escape(state), *sizes, _learned(meta), _mrr(meta))
    Console(width=None if Console().is_terminal else WIDTH).print(table)


@model.command()
@site_option
@click.argument("version", default="")
def show(site: str, version: str) -> None:
    """All that was written down about VERSION (default: the one that serves), as JSON.

    \b
    Example:
        baliza model show --site shop | jq .trial
    """
    store = _store(site)
    version = version or store.current(site) or ""
    if version not in store.versions(site):
        raise NotFound(f"expected one of {', '.join(store.versions(site))}, got {version[:100]!r}")
    meta = store.meta(site, version)
    meta.pop("arrays", None)
    click.echo(msgspec.json.format(msgspec.json.encode(meta), indent=2).decode())


@model.command()
@site_option
@click.argument("version")
def use(site: str, version: str) -> None:
    """Let VERSION serve and hold it: newer ones are trained, and wait. `newest` ends that.

    \b
    Example:
        baliza model use --site shop 20261121T101500.000000Z-0
        baliza model use --site shop newest
    """
    store = _store(site)
    if version == NEWEST:
        click.echo(f"{site}: {store.release(site)} serves, and newer ones will")
        return
    store.hold(site, version)
    click.echo(f"{site}: {version} serves until `baliza model use --site {site} {NEWEST}`")


@model.command("compile")
def compile_() -> None:
    """Compile what learning and ranking need, once, instead of at the first training. A minute; a second when it was done.

    \b
    Example:
        baliza model compile
    """
    keep_at_hand(load_settings().model_dir / COMPILED)
    click.echo(f"compiled functions are ready after {warm():.1f} s")


def _store(site: str) -> ModelStore:
    store = ModelStore(load_settings().model_dir)
    if not store.versions(site):
        raise NotFound(f"there is no model of {site[:100]!r} in {store.model_dir}; `baliza train --site …` makes one")
    return store


def _state(version: str, current: str | None, held: str | None, meta: dict[str, Any]) -> str:
    if version == current:
        return "serves, held" if version == held else "serves"
    return f"refused: {meta['refused']}" if meta.get("refused") else ""


def _learned(meta: dict[str, Any]) -> str:
    if meta.get("full"):
        return "anew"
    return "on top of another" if "on_top_of" in meta else "what is counted alone"


def _figure(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _mrr(meta: dict[str, Any]) -> str:
    trial = meta.get("trial") or {}
    return f"{trial['mrr@20']:.3f}" if "mrr@20" in trial else ""
