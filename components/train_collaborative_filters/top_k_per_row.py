"""Keeps the largest entries of each row, so that an item-item matrix fits in memory."""

import numpy as np
from scipy.sparse import csr_array


def top_k_per_row(matrix: csr_array, k: int) -> csr_array:
    """Return `matrix` with the k entries of each row that are largest in magnitude, without zeros."""
    matrix.eliminate_zeros()
    starts, magnitudes = matrix.indptr, np.abs(matrix.data)
    kept = np.ones(len(magnitudes), bool)
    for row in np.flatnonzero(np.diff(starts) > k):
        entries = slice(starts[row], starts[row + 1])
        kept[entries][np.argpartition(magnitudes[entries], -k)[:-k]] = False
    indptr = np.concatenate([[0], np.cumsum(kept)])[starts]
    entries_kept = (matrix.data[kept].astype(np.float32), matrix.indices[kept], indptr)
    return csr_array(entries_kept, shape=matrix.shape)
