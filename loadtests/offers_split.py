"""What the offers' model costs on a real shop: learning its log, learning again on top of that, and making a list.

`python -m loadtests.offers_split --train retailrocket_7d_train.csv.gz --test retailrocket_7d_test.csv.gz` shows the figures;
`make bench` has them where the log lies beside the repository (its licence keeps it out of it).
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from loadtests.figures import Figure, table
from personalizer.evaluation.log import read_log
from personalizer.evaluation.models import OURS, evaluated
from personalizer.evaluation.scores import SEED, Evaluated, scores
from personalizer.evaluation.split import Split, split_of
from personalizer.models.next_item import NextItem

__all__ = ["AGAIN", "FIT", "MEAN", "P99", "PART", "figures_of", "main", "measure", "real_split"]

PART: Final = "offers, model"
FIT: Final = "learning, RetailRocket"
AGAIN: Final = "learning again, RetailRocket"
MEAN: Final = "mean of a list, RetailRocket"
P99: Final = "p99 of a list, RetailRocket"
REAL: Final = "shared/data/splits/retailrocket_7d_{}.csv.gz"
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def real_split() -> tuple[Path, Path] | None:
    """Train and test of RetailRocket where they lie beside the repository or above it; None elsewhere."""
    for folder in Path(__file__).resolve().parents:
        files = folder / REAL.format("train"), folder / REAL.format("test")
        if all(file.exists() for file in files):
            return files
    return None


def measure(train: Path, test: Path, tell: Callable[[str], None]) -> list[Figure]:
    """Learn, rank all of test, learn again. Blocks for minutes. Processor time: one core's, whatever else goes on."""
    tell("offers, model: learning and asking")
    split = split_of(read_log(train), read_log(test))
    return figures_of(split, evaluated(OURS, split, lambda _step, _done: None), tell)


def figures_of(split: Split, found: Evaluated, tell: Callable[[str], None]) -> list[Figure]:
    """What our model, evaluated on this split, has cost; learns once more, on top of it. Blocks."""
    tell("offers, model: learning again")
    model = found.ranker
    assert isinstance(model, NextItem)
    began = time.process_time()
    NextItem.fit(split.train, len(split.item_ids), split.category_of, seed=SEED, previous=model)
    again_s = time.process_time() - began
    row = scores(found.whole)
    about = f"{len(split.train):,} sessions, {len(split.train.items):,} clicks, {len(split.item_ids):,} items"
    size = sum(array.nbytes for array in model.arrays().values()) / 2**20
    lists = f"{row['n']:,.0f} lists"
    return [
        Figure(PART, FIT, found.fit_cpu_s, "CPU s", about),
        Figure(PART, AGAIN, again_s, "CPU s", "the same log, on top of the model before"),
        Figure(PART, "model, RetailRocket", size, "MiB", about),
        Figure(PART, MEAN, row["mean_ms"], "CPU ms", lists),
        Figure(PART, P99, row["p99_ms"], "CPU ms", lists),
        Figure(PART, "HR@20 of that model", row["hr@20"], "share of lists", lists),
        Figure(PART, "MRR@20 of that model", row["mrr@20"], "", lists),
    ]


@click.command()
@click.option("--train", type=FILE, required=True)
@click.option("--test", type=FILE, required=True)
def main(train: Path, test: Path) -> None:
    """What learning a log and making a list of it costs; a table on standard output."""
    figures = measure(train, test, lambda text: click.echo(text, err=True))
    rows = [(figure.name, f"{figure.value:,.3f}", figure.unit, figure.note) for figure in figures]
    click.echo(table(("what", "figure", "unit", "note"), rows, right=(1,)))


if __name__ == "__main__":
    main()
