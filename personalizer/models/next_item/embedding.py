"""Items as vectors: what they occur with, in few dimensions. Pure."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalizer.models.next_item.index import CHUNK, Related, pieces

__all__ = ["embed", "placed"]

OVERSAMPLED: Final = 8
POWER_STEPS: Final = 3


def embed(related: Related, held: NDArray[np.float32], dimensions: int, seed: int) -> NDArray[np.float32]:
    """Vectors of length 1 (0 for an item that occurs with none), float32 (items, dimensions).

    The truncated SVD of the positive pointwise mutual information of items in sessions (Levy and Goldberg 2014), by
    random projection with power steps (Halko, Martinsson and Tropp 2011). held: sessions that hold each item. In one thread:
    sums of several end in other last digits, and the same log has to give the same model on any machine.
    """
    # Serving has no use for these; and only of libraries that are loaded by then the threads can be limited.
    from scipy import linalg
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return _embed(related, held, dimensions, seed, linalg.qr)


def _embed(related: Related, held: NDArray[np.float32], dimensions: int, seed: int, qr: Any) -> NDArray[np.float32]:
    n_items = len(held)
    if not len(related.items):
        return np.zeros((n_items, dimensions), np.float32)
    matrix = _information(related, held)
    width = min(dimensions + OVERSAMPLED, n_items)
    found = np.random.default_rng(seed).standard_normal((n_items, width)).astype(np.float32)
    for _ in range(POWER_STEPS):
        found = _orthonormal(matrix @ found, qr)
    values, vectors = np.linalg.eigh((found.T @ (matrix @ found)).astype(np.float64))
    strongest = np.argsort(-values, kind="stable")[:dimensions]
    rows = found @ (vectors[:, strongest] * np.sqrt(np.maximum(values[strongest], 0))).astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    whole = np.zeros((n_items, dimensions), np.float32)
    whole[:, : rows.shape[1]] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-6)
    return whole


def placed(vectors: NDArray[np.float32], related: Related) -> NDArray[np.float32]:
    """The vectors with those that are 0 put where the items stand that they occur with (by cosine), float32, same shape."""
    n_items = len(vectors)
    matrix = sparse.csr_matrix((related.cosine, related.items, related.starts), shape=(n_items, n_items))
    new = np.flatnonzero(~vectors.any(axis=1))
    found = matrix[new] @ vectors
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    whole = vectors.copy()
    whole[new] = np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 1e-6)
    return whole


def _orthonormal(columns: NDArray[np.float32], qr: Any) -> NDArray[np.float32]:
    """The Q of a QR decomposition, float32 of the same shape, worked out in one copy of doubles, as NumPy does in four."""
    basis = qr(np.asfortranarray(columns, np.float64), overwrite_a=True, mode="economic", check_finite=False)[0]
    return np.ascontiguousarray(basis, np.float32)


def _information(related: Related, held: NDArray[np.float32]) -> Any:
    """log(together × sessions / (one × other)) where positive, symmetric, as a sparse matrix.

    Put together in pieces of CHUNK items: of a large shop, all of it at once takes several times the matrix.
    """
    n_items = len(held)
    total = float(held.sum())
    one_way = _joined((_one_way(related, held, total, *piece) for piece in pieces(related)), len(related.items), n_items)
    other_way = one_way.T.tocsr()
    both = (one_way[begin : begin + CHUNK] + other_way[begin : begin + CHUNK] for begin in range(0, n_items, CHUNK))
    whole = _joined(both, 2 * one_way.nnz, n_items)
    whole.data *= np.float32(0.5)
    return whole


def _one_way(
    related: Related, held: NDArray[np.float32], total: float, items: range, rows: NDArray[np.intp], where: slice
) -> Any:
    """Of a piece of the items (see pieces()), what each has in common with those of its own row."""
    others, cosine = related.items[where], related.cosine[where]
    together = cosine * np.sqrt(held[rows] * held[others])
    with np.errstate(divide="ignore"):
        information = np.log(together * total / (held[rows] * held[others]))
    kept = (information > 0) & (rows != others) & (together > 0)
    places = (rows[kept] - items.start, others[kept])
    return sparse.csr_matrix((information[kept].astype(np.float32), places), shape=(len(items), len(held)))


def _joined(blocks: Iterator[Any], room: int, n_items: int) -> Any:
    """The square matrix of blocks of rows, which hold `room` numbers at most; each goes as soon as it has its place."""
    values, columns, lengths, used = np.empty(room, np.float32), np.empty(room, np.int32), [np.zeros(1, np.int64)], 0
    for block in blocks:
        values[used : used + block.nnz], columns[used : used + block.nnz] = block.data, block.indices
        lengths.append(np.diff(block.indptr))
        used += block.nnz
    values.resize(used, refcheck=False)
    columns.resize(used, refcheck=False)
    return sparse.csr_matrix((values, columns, np.cumsum(np.concatenate(lengths))), shape=(n_items, n_items))
