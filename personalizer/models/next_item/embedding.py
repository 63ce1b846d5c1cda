"""Items as vectors: what they occur with, in few dimensions. Pure."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalizer.models.next_item.index import Related

__all__ = ["embed", "placed"]

OVERSAMPLED: Final = 8
POWER_STEPS: Final = 3


def embed(related: Related, held: NDArray[np.float32], dimensions: int, seed: int) -> NDArray[np.float32]:
    """Vectors of length 1 (0 for an item that occurs with none), float32 (items, dimensions).

    The truncated SVD of the positive pointwise mutual information of items in sessions (Levy and Goldberg 2014), by
    random projection with power steps (Halko, Martinsson and Tropp 2011). held: sessions that hold each item.
    """
    n_items = len(held)
    if not len(related.items):
        return np.zeros((n_items, dimensions), np.float32)
    matrix = _information(related, held)
    width = min(dimensions + OVERSAMPLED, n_items)
    found = np.random.default_rng(seed).standard_normal((n_items, width)).astype(np.float32)
    for _ in range(POWER_STEPS):
        found = np.linalg.qr(matrix @ found)[0]
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


def _information(related: Related, held: NDArray[np.float32]) -> Any:
    """log(together × sessions / (one × other)) where positive, symmetric, as a sparse matrix."""
    rows = np.repeat(np.arange(len(held)), np.diff(related.starts))
    others = related.items
    together = related.cosine * np.sqrt(held[rows] * held[others])
    total = float(held.sum())
    with np.errstate(divide="ignore"):
        information = np.log(together * total / (held[rows] * held[others]))
    kept = (information > 0) & (rows != others) & (together > 0)
    matrix = sparse.csr_matrix((information[kept].astype(np.float32), (rows[kept], others[kept])), shape=(len(held),) * 2)
    return ((matrix + matrix.T) * np.float32(0.5)).tocsr()
