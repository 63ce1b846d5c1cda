"""Figures: what a benchmark measured, with its unit and its spread; and the little arithmetic behind. Pure."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Figure", "median_of", "percentile", "rounded", "table"]


@dataclass(frozen=True)
class Figure:
    """One number. `rounds`: the single measurements when it is their median. `note`: what must be known to read it."""

    part: str
    name: str
    value: float
    unit: str
    note: str = ""
    rounds: tuple[float, ...] = ()


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0..1) of all values do not exceed (nearest rank). ValueError when empty."""
    if not values or not 0 <= share <= 1:
        raise ValueError(f"expected values and a share from 0 to 1, got {len(values)} values and {share}")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def median_of(part: str, name: str, rounds: Iterable[float], unit: str, note: str = "") -> Figure:
    """The median of several rounds, which are kept."""
    kept = tuple(rounds)
    return Figure(part, name, statistics.median(kept), unit, note, kept)


def rounded(value: float) -> str:
    """Three significant digits, thousands with commas: more would pretend to know more than a round repeats."""
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{round(value, digits):,.{max(0, digits)}f}"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A Markdown table; the columns in `right` (from 0) are aligned right."""
    rule = ["---:" if place in right else "---" for place in range(len(headers))]
    lines = [headers, rule, *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
