"""baliza migrate | settings: what the stores hold and how everything is set."""

from dataclasses import fields

import click

from baliza import stores
from baliza.migrations import Migration
from baliza.migrations import migrate as apply
from baliza.settings import Settings, load_settings

__all__ = ["migrate", "settings"]


@click.command()
def migrate() -> None:
    """Bring ClickHouse's tables and the live store's function library up to this version.

    \b
    Example: BALIZA_CLICKHOUSE_URL=clickhouse://default@localhost:9000/baliza baliza migrate
    """
    chosen = load_settings()

    def told(step: Migration) -> None:
        click.echo(f"applying {step.name}")

    done = apply(stores.clickhouse(chosen), told)
    stores.call(lambda: stores.install(stores.redis(chosen), chosen))
    click.echo(f"{len(done)} migrations applied; the history and the live store are up to date")


@click.command()
def settings() -> None:
    """List every setting with its value, its variable and what it means.

    \b
    Example: BALIZA_PUBLIC_PORT=9000 baliza settings
    """
    chosen = load_settings()
    for entry in fields(Settings):
        value = getattr(chosen, entry.name)
        shown = "(set)" if value and entry.name.endswith("_url") and "@" in str(value) else value
        click.echo(f"BALIZA_{entry.name.upper()}={shown}\n    {entry.metadata['help']}")
