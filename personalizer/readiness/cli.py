"""`baliza readiness`: who tells how ready visitors are to buy, and how well that comes true on the shop's later visits."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from baliza import stores
from baliza.errors import NotFound
from baliza.readiness.files import current, read
from baliza.settings import Settings, load_settings
from baliza.sites import Site, load_sites
from baliza.stores import History, call
from personalizer.readiness.learning import Judged, judge, told_of
from personalizer.readiness.plot import reliability_svg
from personalizer.readiness.told import Bin
from personalizer.readiness.train import read_period

__all__ = ["readiness"]

QUERY_TIMEOUT_S: Final = 120.0
TABLE_WIDTH: Final = 110  # where the output is no terminal


@click.command()
@click.option("--site", "name", help="Whose history; needed when there are several sites.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="File for the reliability diagram (SVG).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def readiness(name: str | None, plot: Path | None, as_json: bool) -> None:
    """Who tells how ready visitors are to buy, model or rules, and how well that comes true.

    Learns from the first 60 % of the last BALIZA_TRAIN_DAYS, chooses and calibrates on the next fifth, measures on the last.
    Nothing changes by it: `baliza train` learns what serves.

    \b
    Example:
        baliza readiness --site demo --plot reliability.svg
    """
    settings = load_settings()
    site = _site(settings, name)
    found, judged = _measured(settings, site)
    if plot and judged:
        title = f"{site.name}: orders in the rest of the session"
        plot.write_text(reliability_svg(title, [("model", judged.model), ("rules", judged.rules)]))
        click.echo(f"drawn: {plot}", err=True)
    if as_json:
        click.echo(json.dumps(found, allow_nan=False))
    else:
        _show(found, judged)


def _site(settings: Settings, name: str | None) -> Site:
    with stores.redis(settings) as redis:
        known = call(lambda: load_sites(redis)).by_name
    if name is None and len(known) != 1:
        raise click.UsageError(f"say with --site which of these: {', '.join(sorted(known)) or 'there is none yet'}")
    if name is not None and name not in known:
        raise NotFound(f"there is no site named {name!r}; `baliza site list` shows all")
    return known[name or next(iter(known))]


def _measured(settings: Settings, site: Site) -> tuple[dict[str, Any], Judged | None]:
    client = stores.clickhouse(settings, QUERY_TIMEOUT_S)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(f"{site.name}: reading visits", total=1.0)
            visits, moments = read_period(
                History(lambda: client), settings, site, datetime.now(UTC), lambda done: bar.update(task, completed=done)
            )
            bar.update(task, description=f"{site.name}: learning")
            judged = judge(moments) if len(moments) else None
    finally:
        client.disconnect()
    found: dict[str, Any] = {
        "site": site.name,
        "in_use": _in_use(settings, site),
        "sessions": visits.sessions,
        "sessions_with_order": visits.bought,
        "moments": len(moments),
    }
    return found | (told_of(judged) if judged else {}), judged


def _in_use(settings: Settings, site: Site) -> dict[str, str]:
    version = current(settings.model_dir, site.name)
    if version is None:
        return {"basis": "rules", "why": "nothing was learned yet"}
    file = read(settings.model_dir, site.name, version)
    return {"basis": file.basis, "why": file.why, "version": version, "trained_at": file.trained_at}


def _show(found: dict[str, Any], judged: Judged | None) -> None:
    used = found["in_use"]
    click.echo(f"{found['site']}: readiness is told by {used['basis']}: {used['why']}")
    click.echo(f"{found['sessions']} sessions, {found['sessions_with_order']} of them with an order")
    if judged is None:
        click.echo("too few orders to measure anything on later visits")
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=TABLE_WIDTH)
    console.print(_measures(judged))
    low, high = judged.gap
    click.echo(f"AUC above the rules' by {judged.model.auc - judged.rules.auc:+.3f} (95 %: {low:+.3f} to {high:+.3f})")
    console.print(_tenths(judged.model.bins))
    console.print(_purposes(judged))


def _measures(judged: Judged) -> Table:
    title = f"{judged.moments} moments of later visits, {judged.buyers} sessions with an order"
    table = Table("told by", "AUC", "log loss", "Brier", "ECE", title=title)
    for name, one in ((f"model ({judged.kind})", judged.model), ("rules", judged.rules)):
        table.add_row(name, f"{one.auc:.3f}", f"{one.log_loss:.4f}", f"{one.brier:.4f}", f"{one.ece:.4f}")
    return table


def _tenths(bins: list[Bin]) -> Table:
    overall = sum(one.weight * one.bought for one in bins)
    table = Table("of moments", "told", "bought", "95 %", "lift", title="By readiness, least first")
    for one in bins:
        lift = f"{one.bought / overall:.1f}" if overall else ""
        between = f"{one.low:.2%} to {one.high:.2%}"
        table.add_row(f"{one.weight:.0%}", f"{one.predicted:.2%}", f"{one.bought:.2%}", between, lift)
    return table


def _purposes(judged: Judged) -> Table:
    table = Table("purpose", "of moments", "bought", title="By purpose of the visit")
    for name, one in judged.purposes.items():
        table.add_row(name, f"{one.share:.1%}", f"{one.bought:.2%}")
    return table
