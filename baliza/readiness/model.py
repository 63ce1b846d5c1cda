"""A learned model of readiness: its file format, and its score in plain Python. Pure.

What scikit-learn learned is written as numbers (decision trees as flat arrays, or a weight for each bin of each feature), so
that who serves needs neither scikit-learn nor NumPy, and a file can do nothing but be wrong. A score takes about 30 µs.
"""

from bisect import bisect_right
from collections.abc import Callable
from math import exp, isfinite
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from baliza.errors import BalizaError
from baliza.readiness.features import Features

__all__ = [
    "FORMAT", "Basis", "Bins", "BrokenReadiness", "Calibration", "ReadinessFile", "ReadinessModel", "Tree", "Trees",
    "decode", "scored",
]  # fmt: skip

FORMAT: Final = 1
LEAF: Final = -1
Basis = Literal["model", "rules"]
# A split as (feature, threshold, where to go up to the threshold, where else), a leaf as its value.
Node: TypeAlias = "tuple[int, float, Node, Node] | float"


class BrokenReadiness(BalizaError):
    """A readiness file cannot be used: incomplete, damaged, or made for other features."""


class Tree(Struct):
    """Nodes in arrays of one length; children come after their parents. feature: LEAF where the node is one."""

    feature: list[int]
    threshold: list[float]
    left: list[int]
    right: list[int]
    value: list[float]


class Trees(Struct, tag_field="kind", tag="trees"):
    """Boosted trees: log odds are `base` and a leaf's value of each tree. x ≤ threshold goes left."""

    base: float
    trees: list[Tree]


class Bins(Struct, tag_field="kind", tag="bins"):
    """A logistic model of binned features: log odds are `base` and the weight of each feature's bin.

    edges: by feature, ascending; x is in bin n when n edges are ≤ x. weights: by feature, one more than edges.
    """

    base: float
    edges: list[list[float]]
    weights: list[list[float]]


class Calibration(Struct):
    """From log odds to probability: linear between points, level beyond them; without points 1 / (1 + exp(a·z + b))."""

    points: list[float] = []
    values: list[float] = []
    slope: float = -1.0
    shift: float = 0.0
    least: float = 0.0
    most: float = 1.0

    def __call__(self, log_odds: float) -> float:
        if not self.points:
            probability = 1 / (1 + exp(min(700.0, max(-700.0, self.slope * log_odds + self.shift))))
        else:
            probability = _between(self.points, self.values, log_odds)
        return min(self.most, max(self.least, probability))


class ReadinessFile(Struct):
    """What training found. basis "rules": there is no model yet, and `why` says what it takes; about: data and metrics."""

    format: int
    version: str
    site: str
    trained_at: str
    basis: Basis
    why: str
    features: list[str]
    model: Trees | Bins | None = None
    calibration: Calibration | None = None
    about: dict[str, Any] = {}


class ReadinessModel:
    """A model that scores. Made by of_file()."""

    def __init__(self, version: str, log_odds: Callable[[tuple[float, ...]], float], calibrate: Calibration) -> None:
        self.version = version
        self.log_odds = log_odds
        self.calibrate = calibrate

    def probability(self, seen: Features) -> float:
        """P(an order comes in the rest of this session), calibrated."""
        return self.calibrate(self.log_odds(seen))

    @classmethod
    def of_file(cls, file: ReadinessFile) -> "ReadinessModel | None":
        """None when the file says that rules are in use. Raises BrokenReadiness."""
        if file.format != FORMAT:
            raise BrokenReadiness(f"readiness {file.version}: expected format {FORMAT}, got {file.format}")
        if file.basis == "rules":
            return None
        if file.features != list(Features._fields):
            raise BrokenReadiness(f"readiness {file.version} is made for other features; it is learned anew by the trainer")
        if file.model is None or file.calibration is None or not _calibration_sound(file.calibration):
            raise BrokenReadiness(f"readiness {file.version} has no model, or its calibration does not fit together")
        return cls(file.version, scored(file.model), file.calibration)


def scored(model: Trees | Bins) -> Callable[[tuple[float, ...]], float]:
    """The function from features to log odds. Raises BrokenReadiness when the model does not fit together."""
    return _trees(model) if isinstance(model, Trees) else _bins(model)


def _trees(model: Trees) -> Callable[[tuple[float, ...]], float]:
    roots, base = [_nested(tree) for tree in model.trees], _finite(model.base)

    def log_odds(seen: tuple[float, ...]) -> float:
        total = base
        node: Any
        for node in roots:
            # Nested tuples: half the time of arrays and places.
            while node.__class__ is tuple:
                feature, threshold, left, right = node
                node = left if seen[feature] <= threshold else right
            total += node
        return total

    return log_odds


def _nested(tree: Tree) -> Node:
    size = len(tree.feature)
    if not size or any(len(column) != size for column in (tree.threshold, tree.left, tree.right, tree.value)):
        raise BrokenReadiness("a tree of the readiness model has columns of different lengths")
    made: list[Node] = [0.0] * size
    for place in reversed(range(size)):
        feature, left, right = tree.feature[place], tree.left[place], tree.right[place]
        if feature == LEAF:
            made[place] = _finite(tree.value[place])
        elif not 0 <= feature < len(Features._fields) or not (place < left < size and place < right < size):
            raise BrokenReadiness("a tree of the readiness model leads nowhere")
        else:
            made[place] = (feature, _finite(tree.threshold[place]), made[left], made[right])
    return made[0]


def _bins(model: Bins) -> Callable[[tuple[float, ...]], float]:
    pairs, base = list(zip(model.edges, model.weights, strict=False)), _finite(model.base)
    if len(model.edges) != len(Features._fields) or len(model.weights) != len(model.edges):
        raise BrokenReadiness("the readiness model has bins of other features")
    for edges, weights in pairs:
        if len(weights) != len(edges) + 1 or edges != sorted(edges) or not all(map(isfinite, [*edges, *weights])):
            raise BrokenReadiness("the bins of the readiness model do not fit together")

    def log_odds(seen: tuple[float, ...]) -> float:
        total = base
        for value, (edges, weights) in zip(seen, pairs, strict=True):
            total += weights[bisect_right(edges, value)]
        return total

    return log_odds


def _finite(value: float) -> float:
    if not isfinite(value):
        raise BrokenReadiness(f"the readiness model holds {value}, which is no number to count with")
    return value


def _calibration_sound(found: Calibration) -> bool:
    points, values = found.points, found.values
    numbers = [*points, *values, found.slope, found.shift, found.least, found.most]
    rising = points == sorted(points) and values == sorted(values)
    return len(points) == len(values) and rising and all(map(isfinite, numbers)) and 0 <= found.least <= found.most <= 1


def _between(points: list[float], values: list[float], at: float) -> float:
    place = bisect_right(points, at)
    if place == 0:
        return values[0]
    if place == len(points):
        return values[-1]
    low, high = points[place - 1], points[place]
    return values[place - 1] + (values[place] - values[place - 1]) * ((at - low) / (high - low))


def decode(content: bytes) -> ReadinessFile:
    """The file's content. Raises BrokenReadiness."""
    try:
        return msgspec.json.decode(content, type=ReadinessFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenReadiness(f"a readiness file cannot be read: {error}") from error
