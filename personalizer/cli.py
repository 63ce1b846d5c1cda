"""`baliza train`: learn now, instead of waiting for the next round of the trainer."""

import os
from datetime import UTC, datetime
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from baliza import stores
from baliza.errors import NotFound
from baliza.parent import end_with_parent
from baliza.settings import PARENT_VARIABLE, Settings, load_settings
from baliza.sites import Site, load_sites
from baliza.stores import History, call
from personalizer.catalogue.store import CatalogueStore
from personalizer.train import Trained
from personalizer.train import train as train_site

__all__ = ["train"]

QUERY_TIMEOUT_S: Final = 120.0  # of silence; a history that hangs must not hold a training for ever


@click.command()
@click.option("--site", "name", help="Train this site only; default: all sites.")
@click.option("--background", is_flag=True, hidden=True, help="As the trainer's child: quiet, and behind everybody else.")
def train(name: str | None, background: bool) -> None:
    """Learn a model from the history and let it serve at once.

    \b
    Example:
        baliza train --site demo
    """
    settings = load_settings()
    if background:
        _step_back()
    for site in _sites(settings, name):
        _show(site, _train_one(settings, site, background), settings)


def _step_back() -> None:
    os.nice(10)
    end_with_parent(int(os.environ[PARENT_VARIABLE]))


def _sites(settings: Settings, name: str | None) -> list[Site]:
    with stores.redis(settings) as redis:
        known = call(lambda: load_sites(redis)).by_name
    if name is None:
        return list(known.values())
    if name not in known:
        raise NotFound(f"there is no site named {name!r}; `baliza site list` shows all")
    return [known[name]]


def _train_one(settings: Settings, site: Site, quiet: bool) -> Trained | None:
    client = stores.clickhouse(settings, QUERY_TIMEOUT_S)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=Console(stderr=True, quiet=quiet)) as bar:
            task = bar.add_task(site.name, total=1.0)

            def show(step: str, done: float) -> None:
                bar.update(task, description=f"{site.name}: {step}", completed=done)

            with stores.redis(settings) as redis:
                catalogue = CatalogueStore(redis, settings.partitions)
                return train_site(History(lambda: client), settings, site, datetime.now(UTC), show, catalogue=catalogue)
    finally:
        client.disconnect()


def _show(site: Site, trained: Trained | None, settings: Settings) -> None:
    if trained is None:
        click.echo(f"{site.name}: no model, because the last {settings.train_days} days hold no event with items")
        return
    click.echo(
        f"{site.name}: model {trained.version} learned from {trained.sessions} sessions and {trained.events} events: "
        f"{trained.items} items"
    )
