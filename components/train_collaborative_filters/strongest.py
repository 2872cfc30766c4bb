"""The strongest entries of each row: what makes a square of items fit in memory."""

import numpy as np
from scipy.sparse import csr_array


def strongest(matrix: csr_array, count: int) -> csr_array:
    """`matrix` with the `count` entries of each row that are largest in magnitude, zeros dropped."""
    matrix.eliminate_zeros()
    starts, magnitudes = matrix.indptr, np.abs(matrix.data)
    kept = np.ones(len(magnitudes), bool)
    for row in np.flatnonzero(np.diff(starts) > count):
        entries = slice(starts[row], starts[row + 1])
        kept[entries][np.argpartition(magnitudes[entries], -count)[:-count]] = False
    indptr = np.concatenate([[0], np.cumsum(kept)])[starts]
    entries_kept = (matrix.data[kept].astype(np.float32), matrix.indices[kept], indptr)
    return csr_array(entries_kept, shape=matrix.shape)
