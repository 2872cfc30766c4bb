"""Item vectors to start from: factors of how often items stand near each other.

Levy & Goldberg 2014, "Neural word embedding as implicit matrix factorization": the products of the vectors
approximate the positive pointwise mutual information of two items.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import ArpackNoConvergence, eigsh

from components.train_interest_model.data.sequences import Sequences

# Items up to this many interactions apart are near; at distance d a pair weighs 1/√d.
WINDOW: Final = 10
# Of the eigenvalues, relative.
TOLERANCE: Final = 1e-3


def item_factors(sequences: Sequences, item_count: int, size: int, seed: int) -> NDArray[np.float32]:
    """Return [items, size] float32; zeros for an item that is near no other.

    Time and memory grow with the number of interactions, times WINDOW.
    """
    factors = np.zeros((item_count, size), np.float32)
    information = _mutual_information(_near(sequences, item_count))
    if information.max() > 0:
        values, vectors = _largest_eigenvalues(information, size, seed)
        factors[:, : len(values)] = vectors * np.sqrt(np.maximum(values, 0))
    return factors


def _near(sequences: Sequences, item_count: int) -> csr_array:
    """Return [items, items] float32, symmetric: the sum of 1/√d over all pairs in the windows."""
    rows, items = np.repeat(np.arange(len(sequences)), sequences.lengths), sequences.items
    counts = csr_array((item_count, item_count), dtype=np.float32)
    for distance in range(1, WINDOW + 1):
        is_pair = rows[distance:] == rows[:-distance]
        first, second = items[:-distance][is_pair], items[distance:][is_pair]
        weights = np.full(len(first), distance**-0.5, np.float32)
        counts = counts + csr_array((weights, (first, second)), shape=counts.shape)
    return counts + counts.T.tocsr()


def _mutual_information(counts: csr_array) -> csr_array:
    pairs, totals = coo_array(counts), np.asarray(counts.sum(axis=1)).ravel()
    first, second = pairs.coords
    information = np.log(pairs.data * totals.sum() / (totals[first] * totals[second]))
    entries = np.maximum(information, 0).astype(np.float64)
    return csr_array((entries, (first, second)), shape=counts.shape)


def _largest_eigenvalues(
    matrix: csr_array, count: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the at most `count` largest eigenvalues, descending, and their vectors as columns."""
    if count < matrix.shape[0] // 2:
        start = np.random.default_rng(seed).standard_normal(matrix.shape[0])
        try:
            values, vectors = eigsh(matrix, count, which="LA", v0=start, tol=TOLERANCE)
        except ArpackNoConvergence as error:  # those that did converge are as good
            values, vectors = error.eigenvalues, error.eigenvectors
    else:
        values, vectors = np.linalg.eigh(matrix.toarray())
    largest = np.argsort(-values, kind="stable")[:count]
    return values[largest], vectors[:, largest]
