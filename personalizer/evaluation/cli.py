"""`baliza evaluate`: how good the offers' model is, beside the simple answers, on a log or on the shop's own history."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from baliza import stores
from baliza.errors import NotFound
from baliza.settings import load_settings
from baliza.sites import Site, load_sites
from baliza.stores import History, call
from personalizer.evaluation.history import read_split
from personalizer.evaluation.log import read_log
from personalizer.evaluation.models import MODELS, OURS, evaluated, worth_playing
from personalizer.evaluation.plots import bars_svg, latency_svg, reliability_svg
from personalizer.evaluation.protocol import Played
from personalizer.evaluation.scores import SEED, Evaluated, plain
from personalizer.evaluation.split import Split, split_of
from personalizer.evaluation.tables import cart_table, compared, remarks, score_table
from personalizer.learning import history as learning_data
from personalizer.learning.days import DayFiles
from personalizer.learning.train import DAYS

__all__ = ["evaluate"]

QUERY_TIMEOUT_S: Final = 120.0  # of silence

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
TABLE_WIDTH = 150  # where the output is no terminal
# Title, the part of what was evaluated, the picture's file.
PARTS: Final = (
    ("Every next click, also of what the session has already seen", "whole", "next-clicks"),
    ("Next clicks on what is new to the session, lists without what it has seen", "fresh", "next-new-clicks"),
)


@click.command()
@click.option("--train", type=FILE, help="CSV with SessionId,ItemId,Time: what is learned from.")
@click.option("--test", type=FILE, help="CSV of the same form: what is predicted, click by click.")
@click.option("--site", help="Whose history to take where no files are given; needed when there are several sites.")
@click.option("--model", "models", multiple=True, type=click.Choice(list(MODELS)), help="Only this one; may be given again.")
@click.option("--sample", type=click.IntRange(1), help="So many sessions of test, chosen by lot; default: all.")
@click.option("--plot", type=FOLDER, help="Folder, made when it is not there, for pictures (SVG).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, of one model, on standard output.")
def evaluate(
    train: Path | None, test: Path | None, site: str | None, models: tuple[str, ...], sample: int | None, plot: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """How good the offers are: what visitors clicked next beside what a model would have ranked.

    Without files: on the shop's own history, of which the last day is test.

    \b
    Examples:
        baliza evaluate --site demo
        baliza evaluate --train train.csv.gz --test test.csv.gz
        baliza evaluate --train train.csv --test test.csv --model session-knn --json
    """
    if as_json and len(models) > 1:
        raise click.UsageError("--json tells of one model: give --model once")
    if (train is None) != (test is None):
        raise click.UsageError("--train and --test belong together: give both, or neither to take the shop's own history")
    if train and site:
        raise click.UsageError("--site is for the shop's own history: leave it out with --train and --test")
    with _progress() as tell:
        tell("reading", 0.0)
        split = split_of(read_log(train), read_log(test)) if train and test else _own(site, tell)
        split = split.sampled(sample, np.random.default_rng(SEED)) if sample else split
        chosen = models or ((OURS,) if as_json else worth_playing(split))
        found = [evaluated(name, split, tell) for name in chosen]
    if plot:
        _tell([f"drawn: {file}" for file in draw(plot, found)])
    if as_json:
        _tell(remarks(split, found))
        click.echo(json.dumps(plain(found[0]), allow_nan=False))
    else:
        _show(split, found)


def _own(name: str | None, tell: learning_data.Progress) -> Split:
    settings = load_settings()
    with stores.redis(settings) as redis:
        site = _one_site(call(lambda: load_sites(redis)).by_name, name)
    client = stores.clickhouse(settings, QUERY_TIMEOUT_S)
    try:
        files = DayFiles(settings.model_dir / site.name / DAYS)
        return read_split(History(lambda: client), settings, site, datetime.now(UTC), files, tell)
    finally:
        client.disconnect()


def _one_site(known: Mapping[str, Site], name: str | None) -> Site:
    if name is None and len(known) != 1:
        raise click.UsageError(f"say with --site which of these: {', '.join(sorted(known)) or 'there is none yet'}")
    if name is not None and name not in known:
        raise NotFound(f"there is no site named {name!r}; `baliza site list` shows all")
    return known[name or next(iter(known))]


def _show(split: Split, found: Sequence[Evaluated]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=TABLE_WIDTH)
    fit_s = {one.model: one.fit_s for one in found}
    for title, part, _ in PARTS:
        played: dict[str, Played] = {one.model: getattr(one, part) for one in found}
        console.print(score_table(title, played, fit_s))
        for line in compared(played):
            console.print(line, highlight=False)
        console.print()
    if any(len(one.cart.ranks) for one in found):
        cart, fresh = ({one.model: getattr(one, part) for one in found} for part in ("cart", "fresh_cart"))
        console.print(cart_table(cart, fresh))
        for about, played, metric in (("", cart, "hr@1"), ("new: ", fresh, "hr@10")):
            for line in compared(played, (metric,)):
                console.print(about + line, highlight=False)
    _tell(remarks(split, found))


def draw(folder: Path, found: Sequence[Evaluated]) -> list[Path]:
    """Write all pictures that can be drawn of what was found; answers the files. Raises OSError."""
    pictures = {
        f"{file}.svg": bars_svg(title, {one.model: getattr(one, part) for one in found}) for title, part, file in PARTS
    }
    claiming = {one.model: one.whole for one in found if not np.isnan(one.whole.probabilities).all()}
    if claiming:
        pictures["reliability.svg"] = reliability_svg("How sure the model is, and how right", claiming)
    for one in found:
        if len(one.whole.cpu_ns):
            pictures[f"latency-{one.model}.svg"] = latency_svg("Processor time of a list", one.model, one.whole)
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        (folder / name).write_text(picture)
    return [folder / name for name in pictures]


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(f"note: {line}", err=True)


@contextmanager
def _progress() -> Iterator[learning_data.Progress]:
    """A bar on standard error, which leaves standard output to the answer."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda step, done: bar.update(task, description=step, completed=done)
