"""Boosted trees as flat arrays: scored without the library that learned them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from personalizer.models.next_item.compiled import array_of, entry, inner, still, type_of

__all__ = ["Trees", "no_trees", "of_dump", "predict", "score", "trees_type"]


class Trees(NamedTuple):
    """The nodes of all trees; all but roots of shape (nodes,). A row goes left where its feature is at most the threshold.

    roots: int32 (trees,). feature: int16, -1 in a leaf. threshold: float32; the value of a leaf. left, right: int32.
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]

    def sound(self, n_features: int) -> bool:
        """True when every way through a tree stays inside the arrays and ends: children stand behind their parents."""
        nodes = len(self.feature)
        here = np.arange(nodes)
        inside = self.feature >= 0
        return bool(
            self.threshold.shape == self.left.shape == self.right.shape == (nodes,)
            and ((self.roots >= 0) & (self.roots < nodes)).all()
            and (self.feature < n_features).all()
            and np.isfinite(self.threshold).all()
            and ((self.left > here) & (self.left < nodes) | ~inside).all()
            and ((self.right > here) & (self.right < nodes) | ~inside).all()
        )


def no_trees() -> Trees:
    """None at all: every row scores 0."""
    return _of_nodes([], [])


def trees_type() -> object:
    return type_of(no_trees())


def of_dump(dump: dict[str, Any]) -> Trees:
    """The trees of LightGBM's dump_model(). Every feature must be a plain number, never missing.

    Features are float32, so a threshold is rounded down to the next float32: no float32 lies between the two.
    """
    roots: list[int] = []
    nodes: list[tuple[int, float, int, int]] = []
    for tree in dump["tree_info"]:
        roots.append(len(nodes))
        _append(tree["tree_structure"], nodes)
    return _of_nodes(roots, nodes)


def _append(node: dict[str, Any], nodes: list[tuple[int, float, int, int]]) -> int:
    here = len(nodes)
    if "leaf_value" in node and "split_feature" not in node:
        nodes.append((-1, float(np.float32(node["leaf_value"])), 0, 0))
        return here
    nodes.append((0, 0.0, 0, 0))
    left = _append(node["left_child"], nodes)
    right = _append(node["right_child"], nodes)
    nodes[here] = (node["split_feature"], _rounded_down(node["threshold"]), left, right)
    return here


def _rounded_down(threshold: float) -> float:
    near = np.float32(threshold)
    # Compared as Python's floats: NumPy would round the threshold to float32 first.
    return float(near) if float(near) <= threshold else float(np.nextafter(near, np.float32(-np.inf)))


def _of_nodes(roots: Sequence[int], nodes: Sequence[tuple[int, float, int, int]]) -> Trees:
    columns = list(zip(*nodes, strict=True)) if nodes else [()] * 4
    kinds = (np.int16, np.float32, np.int32, np.int32)
    return Trees(still(np.array(roots, np.int32)), *(still(np.array(c, k)) for c, k in zip(columns, kinds, strict=True)))


@inner
def score(trees, rows, at):  # type: ignore[no-untyped-def]
    """The sum of the leaves that one of the rows of features falls into."""
    roots, feature, threshold, left, right = trees.roots, trees.feature, trees.threshold, trees.left, trees.right
    total = np.float32(0)
    for tree in range(len(roots)):
        node = roots[tree]
        while feature[node] >= 0:
            node = left[node] if rows[at, feature[node]] <= threshold[node] else right[node]
        total += threshold[node]
    return total


@entry(lambda: (trees_type(), array_of("f4", 2), array_of("f4", changed=True)))
def predict(trees, rows, scores):  # type: ignore[no-untyped-def]
    """The score of each row, float32 (n, features), into `scores`."""
    for at in range(len(rows)):
        scores[at] = score(trees, rows, at)
