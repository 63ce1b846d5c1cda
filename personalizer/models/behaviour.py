"""What sessions did, as flat arrays: the form in which models are learned and evaluated. Pure."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CART", "PURCHASE", "VIEW", "Behaviour"]

VIEW: Final = 0
CART: Final = 1
PURCHASE: Final = 2


@dataclass(frozen=True)
class Behaviour:
    """Session s is what stands at starts[s]:starts[s + 1], oldest first; an item clicked twice stands twice.

    starts: int64 (sessions + 1,). items: int32 (n,), numbers of items. kinds: uint8 (n,), VIEW, CART or PURCHASE.
    times: int64 (n,), unix seconds, ascending within a session; sessions ascend by their last time.
    """

    starts: NDArray[np.int64]
    items: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    times: NDArray[np.int64]

    def __len__(self) -> int:
        """How many sessions there are."""
        return len(self.starts) - 1

    @classmethod
    def of_rows(
        cls, session_ids: NDArray[Any], items: NDArray[Any], kinds: NDArray[Any] | None, times: NDArray[Any]
    ) -> "Behaviour":
        """Rows in any order, all of shape (n,), as sessions. kinds None: all views. session_ids: integers or texts.

        Rows of one session and second keep the order in which they came; sessions that ended together are ordered by
        the place of their first row, so that the same rows give the same arrays.
        """
        times = np.asarray(times).astype(np.int64)
        numbers = _numbered(np.asarray(session_ids))
        kinds = np.zeros(len(times), np.uint8) if kinds is None else np.asarray(kinds)
        count = int(numbers.max()) + 1 if len(numbers) else 0
        ended = np.full(count, np.iinfo(np.int64).min)
        np.maximum.at(ended, numbers, times)
        place = np.empty(count, np.int64)
        place[np.argsort(ended, kind="stable")] = np.arange(count)
        rows = place[numbers]
        order = np.lexsort((times, rows))
        starts = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=count)))).astype(np.int64)
        return cls(starts, np.asarray(items)[order].astype(np.int32), kinds[order].astype(np.uint8), times[order])

    @property
    def ended(self) -> NDArray[np.int64]:
        """The last time of each session, of shape (sessions,), ascending."""
        return self.times[self.starts[1:] - 1]

    def part(self, begin: int, end: int) -> "Behaviour":
        """The sessions begin:end; views of the same arrays."""
        first, last = self.starts[begin], self.starts[end]
        starts = self.starts[begin : end + 1] - first
        return Behaviour(starts, self.items[first:last], self.kinds[first:last], self.times[first:last])

    def chosen(self, sessions: NDArray[Any]) -> "Behaviour":
        """The sessions of the numbers, or of the mask, that is given; in the order of time."""
        return self.taken(np.flatnonzero(sessions) if sessions.dtype == np.bool_ else np.sort(sessions))

    def taken(self, numbers: NDArray[np.int64]) -> "Behaviour":
        """The sessions of these numbers, in this order, which has to be that of time."""
        lengths = np.diff(self.starts)[numbers]
        starts = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        places = np.arange(starts[-1])
        places += np.repeat(self.starts[numbers] - starts[:-1], lengths)
        return Behaviour(starts, self.items[places], self.kinds[places], self.times[places])

    def before(self, time_s: int) -> "Behaviour":
        """The sessions that had ended before that time."""
        return self.part(0, int(np.searchsorted(self.ended, time_s)))

    def since(self, time_s: int) -> "Behaviour":
        """The sessions that ended at that time or later."""
        return self.part(int(np.searchsorted(self.ended, time_s)), len(self))

    def sound(self, n_items: int) -> bool:
        """True when every session lies within the arrays, holds something, and every item is one of n_items."""
        return bool(
            self.starts.ndim == 1
            and len(self.starts) >= 1
            and self.starts[0] == 0
            and self.items.shape == self.kinds.shape == self.times.shape == (self.starts[-1],)
            and (np.diff(self.starts) > 0).all()
            and ((self.items >= 0) & (self.items < n_items)).all()
            and (self.kinds <= PURCHASE).all()
        )


def _numbered(ids: NDArray[Any]) -> NDArray[np.int64]:
    """The ids as numbers from 0 in the order in which they first occur."""
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    place = np.empty(len(first), np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    return place[inverse]
