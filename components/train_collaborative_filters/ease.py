"""EASE: item-item weights, the closed form of a linear autoencoder without self-weights.

Steck 2019, "Embarrassingly shallow autoencoders for sparse data", arXiv:1905.03375, equation 8.
"""

from typing import Final

import numpy as np
from scipy.linalg.lapack import spotrf, spotri
from scipy.sparse import csr_array, vstack

from components.train_collaborative_filters.interactions import Interactions
from serving.release.arrays import FloatArray

# Rows of which the largest entries are searched at once. A sparse copy of all entries would take as long as
# the inverse, and three times its memory.
BLOCK: Final = 512


def ease(interactions: Interactions, regularisation: float, neighbours: int) -> csr_array:
    """Return [items, items] float32: B = I − P diag(1/P), P = (XᵀX + λI)⁻¹, each row's `neighbours` largest.

    Time is cubic in the number of items, memory quadratic (two matrices [items, items] float32).
    """
    user_items = interactions.user_items()
    gram = np.asfortranarray((user_items.T @ user_items).toarray(), np.float32)
    np.fill_diagonal(gram, gram.diagonal() + regularisation)
    # XᵀX + λI is positive definite: Cholesky costs half of a general inverse, and neither call can fail.
    factor, _ = spotrf(gram, lower=1, overwrite_a=1)
    inverse, _ = spotri(factor, lower=1, overwrite_c=1)
    # Only the lower triangle is computed, in columns: the rows of the transpose, from the diagonal on.
    upper, diagonal = inverse.T, inverse.diagonal().copy()
    blocks = []
    for start in range(0, len(upper), BLOCK):
        end = min(start + BLOCK, len(upper))
        rows = upper[start:end]
        rows[:, :start] = upper[:start, start:end].T
        square = np.triu(rows[:, start:end])
        rows[:, start:end] = square + np.triu(square, 1).T
        weights = rows / -diagonal
        weights[np.arange(end - start), np.arange(start, end)] = 0
        blocks.append(_largest(weights, neighbours))
    return csr_array(vstack(blocks, format="csr"))


def _largest(weights: FloatArray, count: int) -> csr_array:
    """Return the `count` entries of each row that are largest in magnitude, without zeros."""
    count = min(count, weights.shape[1])
    columns = np.sort(np.argpartition(np.abs(weights), -count, axis=1)[:, -count:], axis=1)
    entries = np.take_along_axis(weights, columns, axis=1)
    offsets = np.arange(0, entries.size + 1, count, dtype=np.int32)
    kept = csr_array((entries.ravel(), columns.ravel().astype(np.int32), offsets), shape=weights.shape)
    kept.eliminate_zeros()
    return kept
