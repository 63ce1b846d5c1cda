"""`python -m loadtests.bench`: what baliza costs, on this machine, now. Starts all servers itself in a temporary folder."""

import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from loadtests import (
    carrying,
    collecting,
    footprint,
    loading,
    machine,
    offering,
    offers_scale,
    offers_served,
    offers_split,
    replaying,
    report,
    visible,
)
from loadtests.client import LoadError
from loadtests.figures import Figure
from loadtests.servers import box
from loadtests.steady import Curve
from loadtests.targets import judged, too_far

__all__ = ["FULL", "PARTS", "QUICK", "Measured", "Sizes", "main", "run"]


@dataclass(frozen=True)
class Sizes:
    """How much is measured; seconds are of one load."""

    rounds: int
    collector_s: float
    latency_s: float
    history_events: int
    offers_s: float
    visible_s: float
    visitors: int
    idle_s: float
    replay_events: int
    large_sessions: int
    large_items: int


@dataclass
class Measured:
    """What a run gives."""

    figures: list[Figure] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)

    @property
    def saturation(self) -> float:
        """Accepted events per second. LoadError when it was not measured."""
        for figure in self.figures:
            if figure.name == loading.SATURATION:
                return figure.value
        raise LoadError("`visible` needs the collector's saturation: measure `latency` too")


FULL: Final = Sizes(3, 3.0, 4.0, 50_000, 6.0, 15.0, 10_000, 10.0, 20_000, 10_000_000, 1_000_000)
QUICK: Final = Sizes(1, 1.0, 1.0, 15_000, 1.0, 3.0, 2_000, 2.0, 10_000, 100_000, 10_000)
PARTS: Final = ("collector", "latency", "history", "visible", "visitors", "up", "models", "served")
TOLERANCE: Final = 0.15
Tell = Callable[[str], None]


def run(sizes: Sizes, parts: Collection[str], folder: Path, tell: Tell) -> Measured:
    """Measure the parts one after the other, never two at once. Blocks for minutes."""
    found = Measured()
    if "collector" in parts:
        found.figures += collecting.measure(folder / "collector", sizes.rounds, sizes.collector_s, tell)
    if "latency" in parts:
        _add(found, loading.measure(folder / "latency", sizes.rounds, sizes.latency_s, tell))
    if "history" in parts:
        _with_history(found, sizes, folder / "history", tell)
    if "visible" in parts:
        found.figures += visible.measure(folder / "visible", found.saturation / 2, sizes.visible_s, tell)
    if "visitors" in parts:
        found.figures += footprint.measure_visitors(folder / "visitors", sizes.visitors, tell)
    if "up" in parts:
        found.figures += footprint.measure_up(folder / "up", sizes.idle_s, tell)
    if "models" in parts:
        _models(found, sizes, folder / "models", tell)
    if "served" in parts:
        _add(found, offers_served.measure(folder / "served", sizes.offers_s, tell))
    return found


def _add(found: Measured, more: tuple[list[Figure], Curve]) -> None:
    found.figures += more[0]
    found.curves.append(more[1])


def _models(found: Measured, sizes: Sizes, folder: Path, tell: Tell) -> None:
    """A real shop where its log is at hand, and a large one that is made up."""
    if files := offers_split.real_split():
        found.figures += offers_split.measure(*files, tell)
    else:
        tell("offers, model: no RetailRocket log beside the repository; not measured")
    found.figures += offers_scale.measure(folder, sizes.large_sessions, sizes.large_items, tell)


def _with_history(found: Measured, sizes: Sizes, folder: Path, tell: Tell) -> None:
    """Ingest, then offers from what was ingested, then replay."""
    tell("history: making up past visits")
    visits = carrying.past_visits(sizes.history_events, carrying.DAYS, seed=7)
    log = carrying.past_visits(sizes.replay_events, days=2, seed=8)
    with box(folder, with_history=True) as opened:
        found.figures += carrying.measure(opened, visits, tell)
        _add(found, offering.measure(opened, visits, sizes.offers_s, tell))
        found.figures += replaying.measure(opened, log, sizes.replay_events, folder, tell)


@click.command()
@click.option("--quick", is_flag=True, help="Under two minutes: less data, fewer rounds, wider spread.")
@click.option("--only", "parts", multiple=True, type=click.Choice(PARTS), help="Only this part; may be given again.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=report.RESULTS, help="Where results go.")
@click.option("--check", is_flag=True, help="Exit with 1 when a target is missed by more than the tolerance.")
@click.option("--tolerance", type=click.FloatRange(0, 10), default=TOLERANCE, show_default=True, help="As a share.")
def main(quick: bool, parts: tuple[str, ...], out: Path, check: bool, tolerance: float) -> None:
    """Measure what baliza costs on this machine; tables on standard output, JSON and Markdown in loadtests/results."""
    sizes, began, about = (QUICK if quick else FULL), time.monotonic(), machine.machine()
    others = machine.OtherWork()
    try:
        with tempfile.TemporaryDirectory(prefix="baliza-bench-") as folder:
            about["file system"] = machine.file_system(Path(folder))
            found = run(sizes, parts or PARTS, Path(folder), lambda text: click.echo(text, err=True))
    except LoadError as error:
        raise click.ClickException(str(error)) from error
    about["other work meanwhile"] = f"{others.share():.0%} of all cores"
    verdicts = judged(found.figures)
    result = report.Result(
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        label=machine.label(machine.cpu_model(), machine.cores()),
        command=shlex.join(["python", "-m", "loadtests.bench", *sys.argv[1:]]),
        quick=quick or bool(parts),
        took_s=round(time.monotonic() - began, 1),
        machine=about,
        versions=machine.versions(),
        sizes={name.replace("_", " "): f"{value:,}" for name, value in asdict(sizes).items()},
        figures=found.figures,
        curves=found.curves,
        targets=verdicts,
    )
    click.echo(report.markdown(result))
    click.echo(f"written to {report.save(result, out)}", err=True)
    if check and (missed := too_far(verdicts, tolerance)):
        raise click.ClickException("\n".join(missed))


if __name__ == "__main__":
    main()
