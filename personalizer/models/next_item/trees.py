"""Boosted trees as flat arrays: scored without the library that learned them, a hundred rows at a time.

Going down a tree is a guess of the processor at every node, and half of them are wrong. Here nothing is guessed: every node
of a tree is asked of every row, and takes the leaves from the row that lie on the side where it does not belong; the first
leaf that is left is the row's (QuickScorer: Lucchese et al., SIGIR 2015; many rows at once: the same, SIGIR 2016).
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numba.cpython.unsafe import numbers as bits
from numpy.typing import NDArray

from personalizer.models.next_item.compiled import array_of, entry, inner, still, type_of

__all__ = [
    "BLOCK",
    "MOST_LEAVES",
    "Bench",
    "Trees",
    "mean_of",
    "new_bench",
    "no_trees",
    "of_dump",
    "predict",
    "score",
    "trees_type",
]

MOST_LEAVES: Final = 32  # of a tree: one bit each
BLOCK: Final = 104  # rows that are scored together: thirteen instructions of eight
ALL: Final = 2**MOST_LEAVES - 1
first_bit: Final[Any] = bits.trailing_zeros


class Trees(NamedTuple):
    """Leaves are numbered from left to right. A row is right of a node where its feature is above the threshold.

    starts: int32 (trees + 1,), where the nodes of each tree begin. feature: int16, threshold: float32, left_for: uint32, all
    (nodes,); left_for: a bit for each leaf that a row to the right of the node may still fall into. leaves: float32 (trees,
    MOST_LEAVES), their values.
    """

    starts: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left_for: NDArray[np.uint32]
    leaves: NDArray[np.float32]

    def sound(self, n_features: int) -> bool:
        """True when scoring stays inside the arrays: the last leaf is left to everybody, so each row falls into one."""
        nodes, trees = len(self.feature), len(self.starts) - 1
        return bool(
            self.threshold.shape == self.left_for.shape == (nodes,)
            and self.leaves.shape == (trees, MOST_LEAVES)
            and self.starts[0] == 0
            and self.starts[-1] == nodes
            and (np.diff(self.starts) >= 0).all()
            and ((self.feature >= 0) & (self.feature < n_features)).all()
            and (self.left_for >> np.uint32(MOST_LEAVES - 1) == 1).all()
            and np.isfinite(self.threshold).all()
            and np.isfinite(self.leaves).all()
        )


class Bench(NamedTuple):
    """Where rows are scored. columns: float32 (features, BLOCK). left: uint32 (BLOCK,), a bit for each leaf that is left."""

    columns: NDArray[np.float32]
    left: NDArray[np.uint32]


def new_bench(n_features: int) -> Bench:
    """Room for a block of rows."""
    return Bench(np.zeros((n_features, BLOCK), np.float32), np.zeros(BLOCK, np.uint32))


def no_trees() -> Trees:
    """None at all: every row scores 0."""
    return _of_trees([])


def trees_type() -> object:
    return type_of(no_trees())


def mean_of(parts: Sequence[Trees]) -> Trees:
    """Trees that score the mean of what the parts score, each of them learned from the same by other chances."""
    starts, nodes = [np.zeros(1, np.int32)], 0
    for part in parts:
        starts.append(part.starts[1:] + np.int32(nodes))
        nodes += len(part.feature)
    feature, threshold, left_for, leaves = (np.concatenate(columns) for columns in zip(*(p[1:] for p in parts), strict=True))
    return Trees(
        still(np.concatenate(starts)), still(feature), still(threshold), still(left_for),
        still(leaves / np.float32(len(parts))),
    )  # fmt: skip


Wall = tuple[int, float, int]  # feature, threshold, left_for


def of_dump(dump: dict[str, Any]) -> Trees:
    """The trees of LightGBM's dump_model(). Every feature must be a plain number, never missing.

    Features are float32, so a threshold is rounded down to the next float32: no float32 lies between the two. ValueError
    when a tree has more than MOST_LEAVES leaves.
    """
    found: list[tuple[list[Wall], list[float]]] = []
    for tree in dump["tree_info"]:
        walls: list[Wall] = []
        leaves: list[float] = []
        _walk(tree["tree_structure"], walls, leaves)
        if len(leaves) > MOST_LEAVES:
            raise ValueError(f"a tree: expected at most {MOST_LEAVES} leaves, got {len(leaves)}")
        found.append((walls, leaves))
    return _of_trees(found)


def _walk(node: dict[str, Any], walls: list[Wall], leaves: list[float]) -> None:
    """Add the node's walls and leaves, from left to right."""
    if "split_feature" not in node:
        leaves.append(float(np.float32(node["leaf_value"])))
        return
    first = len(leaves)
    _walk(node["left_child"], walls, leaves)
    on_the_left = (1 << len(leaves)) - (1 << first)
    walls.append((node["split_feature"], _rounded_down(node["threshold"]), ALL & ~on_the_left))
    _walk(node["right_child"], walls, leaves)


def _rounded_down(threshold: float) -> float:
    near = np.float32(threshold)
    # Compared as Python's floats: NumPy would round the threshold to float32 first.
    return float(near) if float(near) <= threshold else float(np.nextafter(near, np.float32(-np.inf)))


def _of_trees(trees: Sequence[tuple[list[Wall], list[float]]]) -> Trees:
    walls = [wall for of_tree, _ in trees for wall in of_tree]
    starts = np.cumsum([0, *(len(of_tree) for of_tree, _ in trees)], dtype=np.int32)
    leaves = np.zeros((len(trees), MOST_LEAVES), np.float32)
    for row, (_, values) in zip(leaves, trees, strict=True):
        row[: len(values)] = values
    feature, threshold, left_for = zip(*walls, strict=True) if walls else ((), (), ())
    return Trees(
        still(starts), still(np.array(feature, np.int16)), still(np.array(threshold, np.float32)),
        still(np.array(left_for, np.uint32)), still(leaves),
    )  # fmt: skip


@inner
def score(trees, rows, size, bench, scores):  # type: ignore[no-untyped-def]
    """The sums of the leaves that the first `size` rows fall into, into `scores`."""
    for begin in range(0, size, BLOCK):
        _score_block(trees, rows, begin, min(BLOCK, size - begin), bench, scores)


@inner
def _score_block(trees, rows, begin, size, bench, scores):  # type: ignore[no-untyped-def]
    """The sums of the leaves that rows[begin : begin + size], BLOCK at most, fall into, into the same places of scores."""
    columns, left, every = bench.columns, bench.left, np.uint32(ALL)
    for at in range(size):
        scores[begin + at] = 0
        for number in range(rows.shape[1]):
            columns[number, at] = rows[begin + at, number]
    for tree in range(len(trees.starts) - 1):
        left[:] = every
        for node in range(trees.starts[tree], trees.starts[tree + 1]):
            feature, threshold, left_for = trees.feature[node], trees.threshold[node], trees.left_for[node]
            # Always a whole block, and without a branch: the compiler makes one instruction of eight rows. What is left
            # from before behind the rows is reckoned with and not looked at.
            for at in range(BLOCK):
                left[at] &= left_for if columns[feature, at] > threshold else every
        for at in range(size):
            scores[begin + at] += trees.leaves[tree, first_bit(left[at])]


@entry(lambda: (trees_type(), array_of("f4", 2), type_of(new_bench(1)), array_of("f4", changed=True)))
def predict(trees, rows, bench, scores):  # type: ignore[no-untyped-def]
    """The score of each row, float32 (n, features), into `scores`."""
    score(trees, rows, len(rows), bench, scores)
