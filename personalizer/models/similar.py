"""Which items go together: cosine over the sessions that hold them, with shrinkage. Pure."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalizer.models.model import Ragged

__all__ = ["neighbours", "ragged_top"]

BLOCK_ITEMS: Final = 2_000  # rows of the item × item product that are held at once


def neighbours(
    sessions: NDArray[np.uint64],
    items: NDArray[np.int32],
    weights: NDArray[np.float32],
    n_items: int,
    *,
    shrinkage: float,
    most: int,
    support: float = 0.0,
) -> Ragged:
    """For each item the `most` most similar ones, from (session, item, weight) triples of equal shape (n,).

    Similarity of i and j: x_i·x_j / (|x_i| |x_j| + shrinkage) · x_i·x_j / (x_i·x_j + support), where x_i are the item's
    weights over the sessions. Both are in squared weights: shrinkage holds down rare items, support pairs that rest on few
    sessions, however rare their items are. Triples of the same cell add up.
    """
    matrix = _session_matrix(sessions, items, weights, n_items)
    by_item = matrix.T.tocsr()
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel())
    blocks = [
        _block(by_item[begin : begin + BLOCK_ITEMS] @ matrix, begin, norms, shrinkage, support, most)
        for begin in range(0, n_items, BLOCK_ITEMS)
    ]
    return _joined(blocks)


def _session_matrix(
    sessions: NDArray[np.uint64], items: NDArray[np.int32], weights: NDArray[np.float32], n_items: int
) -> Any:
    known, rows = np.unique(sessions, return_inverse=True)
    return sparse.csr_matrix((weights, (rows, items)), shape=(len(known), n_items), dtype=np.float32)


def _block(products: Any, begin: int, norms: NDArray[np.float32], shrinkage: float, support: float, most: int) -> Ragged:
    found = products.tocoo()
    rows, columns = found.row, found.col
    scores = found.data / (norms[rows + begin] * norms[columns] + shrinkage)
    scores *= found.data / (found.data + support)
    other = (columns != rows + begin) & (scores > 0)
    return ragged_top(rows[other], columns[other], scores[other], products.shape[0], most)


def ragged_top(
    rows: NDArray[np.int32], items: NDArray[np.int32], scores: NDArray[np.floating[Any]], n_rows: int, most: int
) -> Ragged:
    """The best `most` of each row, best first, equal ones by item number. Scores are cut to [0, 1]."""
    order = np.lexsort((items, -scores, rows))
    rows = rows[order]
    first = np.searchsorted(rows, np.arange(n_rows))
    kept = np.arange(len(rows)) - first[rows] < most
    counts = np.bincount(rows[kept], minlength=n_rows)
    return Ragged(
        np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        items[order][kept].astype(np.int32),
        np.clip(scores[order][kept], 0, 1).astype(np.float32),
    )


def _joined(blocks: list[Ragged]) -> Ragged:
    if not blocks:
        return Ragged(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    offsets = np.cumsum([0] + [len(block.items) for block in blocks])
    starts = [block.starts[:-1] + offset for block, offset in zip(blocks, offsets, strict=False)]
    return Ragged(
        np.concatenate([*starts, offsets[-1:]]).astype(np.int64),
        np.concatenate([block.items for block in blocks]),
        np.concatenate([block.scores for block in blocks]),
    )
