"""baliza migrate | settings: what the stores hold and how everything is set."""

import re
from dataclasses import fields
from urllib.parse import urlsplit

import click

from baliza import stores
from baliza.errors import BadSetting
from baliza.migrations import migrate as apply
from baliza.migrations import migrations
from baliza.migrations_cluster import clustered
from baliza.settings import Settings, load_settings

__all__ = ["migrate", "settings"]


@click.command()
@click.option("--print-for-cluster", "cluster", metavar="NAME", help="run nothing; print the SQL for a ClickHouse cluster")
@click.option("--after", type=click.IntRange(0), default=0, help="with it: only migrations after this number")
def migrate(cluster: str | None, after: int) -> None:
    """Bring ClickHouse's tables and the live store's functions up to date.

    \b
    Example: BALIZA_CLICKHOUSE_URL=clickhouse://default@localhost:9000/baliza baliza migrate
             baliza migrate --print-for-cluster shop | clickhouse-client --multiquery
    """
    chosen = load_settings()
    if cluster:
        # Nothing has to run yet: where nothing says what the database is called, it has the usual name.
        database = urlsplit(chosen.clickhouse_url).path.strip("/") or "baliza"
        for statement in clustered([step for step in migrations() if step.number > after], cluster, database):
            click.echo(f"{statement};\n")
        return
    stores.create_database(chosen)
    client = stores.clickhouse(chosen)
    try:
        done = apply(client, lambda step: click.echo(f"applying {step.name}"))
    finally:
        client.disconnect()
    click.echo(f"{len(done)} migrations applied; the history is up to date")
    try:
        redis = stores.redis(chosen)
    except BadSetting:
        click.echo("no live store is known (BALIZA_REDIS_URL is not set): it was left as it is")
        return
    with redis:
        stores.call(lambda: stores.install(redis, chosen))
    click.echo("the live store's function library is up to date")


@click.command()
def settings() -> None:
    """List every setting with its value, its variable and what it means.

    \b
    Example: BALIZA_PUBLIC_PORT=9000 baliza settings
    """
    chosen = load_settings()
    for entry in fields(Settings):
        value = str(getattr(chosen, entry.name))
        shown = without_password(value) if entry.name.endswith("_url") else value
        click.echo(f"BALIZA_{entry.name.upper()}={shown}\n    {entry.metadata['help']}")


def without_password(url: str) -> str:
    """The URL with stars for its password, wherever that stands."""
    hidden = re.sub(r"(?<=://)([^:@/]*):.*@", r"\1:***@", url)
    return re.sub(r"(?i)([?&]\w*password=)[^&]*", r"\1***", hidden)
