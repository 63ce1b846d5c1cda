"""What a person reads of an evaluation: tables and sentences. Pure but for rich, which draws."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from rich.table import Table

from personalizer.evaluation.baselines import BASELINES
from personalizer.evaluation.protocol import Played
from personalizer.evaluation.scores import Evaluated, best_of, gain, scores
from personalizer.evaluation.split import Split

__all__ = ["cart_table", "compared", "remarks", "score_table"]

# Heading → figure, and how many digits it is worth.
COLUMNS: Final = {
    "HR@20": ("hr@20", 3), "MRR@20": ("mrr@20", 3), "HR@10": ("hr@10", 3), "NDCG@20": ("ndcg@20", 3),
    "P@20": ("precision@20", 3), "R@20": ("recall@20", 3), "coverage": ("coverage@20", 3),
    "popularity": ("popularity@20", 3), "ECE": ("ece", 3), "ms": ("mean_ms", 2), "p99 ms": ("p99_ms", 2),
}  # fmt: skip
WITH_ERROR: Final = {"hr@20", "mrr@20", "hr@1"}
CART_COLUMNS: Final = {"hit@1": ("hr@1", 3), "hit@10": ("hr@10", 3), "MRR@20": ("mrr@20", 3)}


def score_table(title: str, played: Mapping[str, Played], fit_s: Mapping[str, float]) -> Table:
    """A row a model; HR and MRR with one standard error."""
    found = {name: scores(one) for name, one in played.items()}
    count = int(next(iter(found.values()))["n"]) if found else 0
    table = Table(title=f"{title} ({count:,} predictions)", title_justify="left")
    table.add_column("model")
    for heading in [*COLUMNS, "fit s"]:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, figures in found.items():
        cells = [_cell(figures, figure, digits) for figure, digits in COLUMNS.values()]
        table.add_row(name, *cells, f"{fit_s[name]:.1f}")
    return table


def cart_table(played: Mapping[str, Played], fresh: Mapping[str, Played]) -> Table:
    """What is put in the cart first: among all items, and, on the right, where it had not been viewed."""
    counts = [len(next(iter(part.values())).ranks) for part in (played, fresh)]
    title = f"What is put in the cart first ({counts[0]:,} carts), and of what the session had not viewed ({counts[1]:,})"
    table = Table(title=title, title_justify="left")
    table.add_column("model")
    for heading in [*CART_COLUMNS, *(f"new: {heading}" for heading in CART_COLUMNS)]:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, one in played.items():
        rows = scores(one), scores(fresh[name])
        table.add_row(name, *(_cell(row, figure, digits) for row in rows for figure, digits in CART_COLUMNS.values()))
    return table


def _cell(figures: Mapping[str, float], figure: str, digits: int) -> str:
    value = figures[figure]
    if math.isnan(value):
        return "–"
    error = figures[f"{figure}_se"] if figure in WITH_ERROR else math.nan
    return f"{value:.{digits}f}" + ("" if math.isnan(error) else f" ±{error:.3f}")


def compared(played: Mapping[str, Played], metrics: Sequence[str] = ("hr@20", "mrr@20")) -> list[str]:
    """Each model that is no baseline beside the best baseline, on the same predictions."""
    simple = {name: one for name, one in played.items() if name in BASELINES}
    ours = {name: one for name, one in played.items() if name not in BASELINES}
    lines = []
    for name, one in ours.items():
        for metric in metrics if simple and len(one.ranks) else ():
            other = best_of(metric, simple)
            found = gain(metric, one, other, simple[other])
            between = f"95 %: {found.low:+.3f} to {found.high:+.3f}" + ("" if found.certain else ", which may be chance")
            lines.append(f"{name} − {other}, {metric.upper()}: {found.mean:+.3f} ({between})")
    return lines


def remarks(split: Split, seen: Sequence[Evaluated]) -> list[str]:
    """What must be known of the data to read the figures."""
    lines = []
    if split.unknown_items:
        share = split.unknown_rows / len(split.test.items)
        lines.append(
            f"{split.unknown_items:,} items of test ({share:.1%} of its events) are not in train: no model ranks them; as "
            "the next click they are misses, before it, and as what is carted first, they are left out"
        )
    if split.overlap_s:
        lines.append(f"train goes on for {split.overlap_s:,} s after test has begun")
    if any(not len(one.whole.ranks) for one in seen):
        lines.append("no session of test has two clicks: there is nothing to predict")
    return lines
