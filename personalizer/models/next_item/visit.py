"""What the ranker is asked with, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["ALIKE", "NEARBY", "POPULAR", "SEEN", "SIMILAR", "SOURCES", "Ranked", "Visit"]

# Where a ranked item comes from: sessions like this one, what stands near the visit's items in sessions, what is like
# them by embedding, the best sellers, the visit itself.
ALIKE: Final = 0
NEARBY: Final = 1
SIMILAR: Final = 2
POPULAR: Final = 3
SEEN: Final = 4
SOURCES: Final = ("alike", "nearby", "similar", "popular", "seen")


@dataclass(frozen=True)
class Visit:
    """The visit so far, oldest first; all of shape (n,).

    items: int32, numbers of items, UNKNOWN ones are passed over. kinds: uint8, as in Behaviour. counts: int32, how many
    views an entry stands for: 1 for a click of a log; a live profile gives each item once, with its views, at the place
    of its last one; 0 for a cart line or an order. Both forms of the same visit rank the same.
    """

    items: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    counts: NDArray[np.int32]

    @classmethod
    def of(
        cls, items: Sequence[int] | NDArray[np.int32], kinds: Sequence[int] | NDArray[np.uint8] | None = None,
        counts: Sequence[int] | NDArray[np.int32] | None = None,
    ) -> "Visit":  # fmt: skip
        """A visit of plain numbers; without kinds all are views, without counts each view is one."""
        of_items = np.ascontiguousarray(items, np.int32)
        of_kinds = np.zeros(len(of_items), np.uint8) if kinds is None else np.ascontiguousarray(kinds, np.uint8)
        of_counts = (of_kinds == 0).astype(np.int32) if counts is None else np.ascontiguousarray(counts, np.int32)
        return cls(of_items, of_kinds, of_counts)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Ranked:
    """Items that may come next, best first; all of shape (k,).

    items: int32. probability: float32, calibrated: of all items given p, the share p was indeed next. because: int32, the
    item of the visit that speaks most for it, UNKNOWN where none does. source: uint8, one of SOURCES.
    """

    items: NDArray[np.int32]
    probability: NDArray[np.float32]
    because: NDArray[np.int32]
    source: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.items)
