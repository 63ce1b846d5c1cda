"""`baliza train`: learn now, instead of waiting for the next round of the trainer."""

import os
import sys
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
from personalizer.learning.train import Trained, Wish
from personalizer.learning.train import train as train_site
from personalizer.models.next_item.compiled import COMPILED, keep_at_hand
from personalizer.readiness.train import refresh_readiness, train_readiness

__all__ = ["train"]

QUERY_TIMEOUT_S: Final = 120.0  # of silence; a history that hangs must not hold a training for ever


@click.command()
@click.option("--site", "name", help="Train this site only; default: all sites.")
@click.option("--full", is_flag=True, help="Learn all of it anew; default: only what ages fast, on top of the model before.")
@click.option("--force", is_flag=True, help="Let the new model serve even if it is clearly worse than the one before.")
@click.option("--background", is_flag=True, hidden=True, help="As the trainer's child: quiet, and behind everybody else.")
def train(name: str | None, full: bool, force: bool, background: bool) -> None:
    """Learn a model from the history and let it serve at once.

    Exits 1 when the new model does not serve, because it is clearly worse than the one that does.

    \b
    Example:
        baliza train --site demo
    """
    settings = load_settings()
    if background:
        _step_back()
    keep_at_hand(settings.model_dir / COMPILED)
    refused = False
    for site in _sites(settings, name):
        trained = _train_one(settings, site, Wish(full, force), background)
        refused |= bool(trained and trained.refused)
        _show(site, trained, settings)
    if refused:
        sys.exit(1)


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


def _train_one(settings: Settings, site: Site, wish: Wish, quiet: bool) -> Trained | None:
    client = stores.clickhouse(settings, QUERY_TIMEOUT_S)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=Console(stderr=True, quiet=quiet)) as bar:
            task = bar.add_task(site.name, total=1.0)

            def show(step: str, done: float) -> None:
                bar.update(task, description=f"{site.name}: {step}", completed=done)

            with stores.redis(settings) as redis:
                catalogue = CatalogueStore(redis, settings.partitions)
                history, now = History(lambda: client), datetime.now(UTC)
                trained = train_site(history, settings, site, now, show, catalogue=catalogue, wish=wish)
            if quiet:
                refresh_readiness(history, settings, site, now)
            else:
                train_readiness(history, settings, site, now, lambda done: show("learning readiness to buy", done))
            return trained
    finally:
        client.disconnect()


def _show(site: Site, trained: Trained | None, settings: Settings) -> None:
    if trained is None:
        click.echo(f"{site.name}: no model, because the last {settings.train_days} days hold no event with items")
        return
    how = "anew" if trained.full else "on top of the one before"
    click.echo(
        f"{site.name}: model {trained.version} learned {how} in {trained.took_s:.1f} s from {trained.sessions} sessions and "
        f"{trained.events} events: {trained.items} items{_worth(trained)}"
    )
    if trained.long_ids:
        click.echo(f"{site.name}: {trained.long_ids} items are left out, whose ids are far longer than the rest", err=True)
    if trained.refused:
        click.echo(f"{site.name}: it does not serve: {trained.refused}; `--force` lets it serve all the same", err=True)


def _worth(trained: Trained) -> str:
    return f", MRR@20 on sessions kept apart {trained.trial['mrr@20']:.3f}" if trained.trial.get("guesses") else ""
