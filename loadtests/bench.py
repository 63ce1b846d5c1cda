"""`python -m loadtests.bench`: what baliza costs, on this machine, now. Starts all servers itself in a temporary folder."""

import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from loadtests import carrying, collecting, footprint, machine, offering, replaying, report
from loadtests.client import LoadError
from loadtests.figures import Figure
from loadtests.servers import box

__all__ = ["FULL", "PARTS", "QUICK", "Sizes", "main", "run"]


@dataclass(frozen=True)
class Sizes:
    """How much is measured; seconds are of one load."""

    rounds: int
    collector_s: float
    history_events: int
    offers_s: float
    visitors: int
    idle_s: float
    replay_events: int


FULL: Final = Sizes(3, 4.0, 50_000, 8.0, 10_000, 10.0, 20_000)
QUICK: Final = Sizes(2, 1.0, 15_000, 2.0, 2_000, 3.0, 20_000)
PARTS: Final = ("collector", "history", "visitors", "up")
Tell = Callable[[str], None]


def run(sizes: Sizes, parts: Sequence[str], folder: Path, tell: Tell) -> list[Figure]:
    """Measure the parts one after the other, never two at once. Blocks for minutes."""
    figures: list[Figure] = []
    if "collector" in parts:
        figures += collecting.measure(folder / "collector", sizes.rounds, sizes.collector_s, tell)
    if "history" in parts:
        figures += _with_history(sizes, folder / "history", tell)
    if "visitors" in parts:
        figures += footprint.measure_visitors(folder / "visitors", sizes.visitors, tell)
    if "up" in parts:
        figures += footprint.measure_up(folder / "up", sizes.idle_s, tell)
    return figures


def _with_history(sizes: Sizes, folder: Path, tell: Tell) -> list[Figure]:
    """Ingest, then offers from what was ingested, then replay."""
    tell("history: making up past visits")
    visits = carrying.past_visits(sizes.history_events, carrying.DAYS, seed=7)
    log = carrying.past_visits(sizes.replay_events, days=2, seed=8)
    with box(folder, with_history=True) as opened:
        figures = carrying.measure(opened, visits, tell)
        figures += offering.measure(opened, visits, sizes.offers_s, tell)
        return figures + replaying.measure(opened, log, sizes.replay_events, folder, tell)


@click.command()
@click.option("--quick", is_flag=True, help="Under two minutes: less data, fewer rounds, wider spread.")
@click.option("--only", "parts", multiple=True, type=click.Choice(PARTS), help="Only this part; may be given again.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=report.RESULTS, help="Where results go.")
def main(quick: bool, parts: tuple[str, ...], out: Path) -> None:
    """Measure what baliza costs on this machine; a table on standard output, JSON and Markdown in loadtests/results."""
    sizes, began, about = (QUICK if quick else FULL), time.monotonic(), machine.machine()
    try:
        with tempfile.TemporaryDirectory(prefix="baliza-bench-") as folder:
            figures = run(sizes, parts or PARTS, Path(folder), lambda text: click.echo(text, err=True))
    except LoadError as error:
        raise click.ClickException(str(error)) from error
    model, cores = machine.cpu_model(), machine.cores()
    result = report.Result(
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        label=machine.label(model, cores),
        command=shlex.join(["python", "-m", "loadtests.bench", *sys.argv[1:]]),
        quick=quick or bool(parts),
        took_s=round(time.monotonic() - began, 1),
        machine=about,
        versions=machine.versions(),
        sizes={name.replace("_", " "): f"{value:,}" for name, value in asdict(sizes).items()},
        figures=figures,
    )
    click.echo(report.markdown(result))
    click.echo(f"written to {report.save(result, out)}", err=True)


if __name__ == "__main__":
    main()
