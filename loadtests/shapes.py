"""How many shoppers are in the shop, second by second. Pure."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final

__all__ = ["DEFAULT_S", "SHAPES", "shoppers_at"]

DEFAULT_S: Final = 600.0
STEPS: Final = 5
# Share of the run's time → share of the shoppers, straight lines between. At 30 % the sale's mail goes out.
SALE_DAY: Final = (
    (0.0, 0.15), (0.3, 0.15), (0.34, 1.0), (0.55, 1.0), (0.7, 0.55), (0.74, 0.8), (0.8, 0.5), (1.0, 0.15),
)  # fmt: skip


def _steady(_done: float) -> float:
    return 1.0


def _step(done: float) -> float:
    return min(STEPS, int(done * STEPS) + 1) / STEPS


def _sale(done: float) -> float:
    for (begin, low), (end, high) in pairwise(SALE_DAY):
        if done <= end:
            return low + (high - low) * (done - begin) / (end - begin)
    return SALE_DAY[-1][1]


SHAPES: Final[Mapping[str, Callable[[float], float]]] = {"steady": _steady, "step": _step, "sale": _sale}


def shoppers_at(shape: str, now_s: float, run_s: float, most: int) -> int | None:
    """How many there shall be, at least one; None when the run is over. `most`: how many there are at the height."""
    if now_s >= run_s:
        return None
    return max(1, round(most * SHAPES[shape](now_s / run_s)))
