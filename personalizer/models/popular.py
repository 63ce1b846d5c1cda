"""Which items sell: ranked by decayed purchases, then cart adds, then views. Pure."""

import numpy as np
from numpy.typing import NDArray

from personalizer.models.model import Ragged
from personalizer.models.similar import ragged_top

__all__ = ["best_sellers"]


def best_sellers(rows: NDArray[np.int32], counts: NDArray[np.float64], n_rows: int, most: int) -> Ragged:
    """The best `most` items of each row. `rows`, of shape (items,), says an item's row, negative for none.
    counts: purchases, cart adds and views, of shape (items, 3).

    The score falls evenly with the place, from 1 for the first to 1/n for the last that is kept: counts of purchases
    and of views cannot be compared, places can.
    """
    purchases, cart_adds, views = counts.T
    order = np.lexsort((np.arange(len(rows)), -views, -cart_adds, -purchases))
    place = np.empty(len(rows), np.int64)
    place[order] = np.arange(len(rows))
    listed = np.flatnonzero(rows >= 0)
    ranked = ragged_top(rows[listed], listed.astype(np.int32), 1 / (1.0 + place[listed]), n_rows, most)
    return Ragged(ranked.starts, ranked.items, _falling(ranked.starts))


def _falling(starts: NDArray[np.int64]) -> NDArray[np.float32]:
    lengths = np.diff(starts)
    places = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
    return np.asarray(1 - places / np.repeat(lengths, lengths), np.float32)
