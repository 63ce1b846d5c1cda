"""What is asked of a model and what it answers, whichever model it is."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ranked", "Ranker", "Visit"]


@dataclass(frozen=True)
class Visit:
    """The clicks of a visit, oldest first; items are numbers. All of shape (n,)."""

    items: NDArray[np.int32]
    kinds: NDArray[np.uint8]

    @classmethod
    def of(cls, items: Any, kinds: Any = None) -> "Visit":
        """Of plain numbers; without kinds all are views."""
        return cls(np.asarray(items, np.int32), np.asarray(np.zeros(len(items)) if kinds is None else kinds, np.uint8))


@dataclass(frozen=True)
class Ranked:
    """The likeliest next items first. probability: that this is the next item, NaN where the model claims none."""

    items: NDArray[np.int32]
    probability: NDArray[np.float32]


class Ranker(Protocol):
    """What every model can do, ours and those it is compared with."""

    def rank(self, visit: Visit, most: int, now_s: int) -> Ranked:
        """At most `most` different items, the likeliest first."""
