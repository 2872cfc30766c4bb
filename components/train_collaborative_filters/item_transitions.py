"""Item-to-item transition probabilities: a Markov chain that looks a few interactions ahead.

Rendle et al. 2010, "Factorizing Personalized Markov Chains" (the chain before factorisation); pairs over
several items are the skip-grams of Guthrie et al. 2006, "A closer look at skip-gram modelling".
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from components.train_collaborative_filters.interactions import Interactions
from components.train_collaborative_filters.top_k_per_row import top_k_per_row

# A step of more interactions, such as the day of a guest account, tells little, and its pairs take too long.
MAX_STEP: Final = 200

# Number of steps whose pairs are counted at once, to bound the memory.
BLOCK: Final = 500_000


def transitions(
    interactions: Interactions, window: int, backward: float, smoothing: float, neighbours: int
) -> csr_array:
    """Return [items, items] float32: the probability that the column's item follows the row's item.

    An item d interactions after the step of the row's item has the weight 1/√d for d ≤ `window`, and one
    before it `backward` of it, times the weights of both interactions. Items of one step share the mean of
    their 1/√d, and no item follows one of its own step. The rest of a row, `smoothing` pseudo-counts and the
    entries beyond the `neighbours` largest, is left to the items' popularity (Dirichlet smoothing).
    """
    shape = (interactions.item_count, interactions.item_count)
    counts = csr_array(shape, dtype=np.float32)
    offsets = interactions.step_offsets
    count = len(offsets) - 1
    steps = csr_array((interactions.weights, interactions.items, offsets), shape=(count, shape[1]))
    for start in range(0, count, BLOCK):
        rows = np.arange(start, min(start + BLOCK, count))
        ahead = _steps_ahead(interactions, rows, window) @ steps
        counts = counts + steps[start : start + BLOCK].T.tocsr() @ ahead
    if backward:
        counts = counts + backward * counts.T.tocsr()
    totals = np.asarray(counts.sum(axis=1)).ravel() + smoothing
    counts.data /= np.repeat(totals, np.diff(counts.indptr)).astype(np.float32)
    return top_k_per_row(counts, neighbours)


def _steps_ahead(interactions: Interactions, rows: NDArray[np.intp], window: int) -> csr_array:
    """Return [rows, steps] float32: the mean 1/√d of the interactions of the column's step.

    Args:
        rows: the steps that the distances d are counted from.
    """
    offsets = interactions.step_offsets
    last = len(offsets) - 2
    columns = rows[:, np.newaxis] + np.arange(1, window + 1)
    is_pair = columns <= last
    columns = np.minimum(columns, last)
    sizes, users = np.diff(offsets), interactions.users[offsets[:-1]]
    # The interactions after the row's step that are before the column's step.
    before = offsets[columns] - offsets[rows + 1][:, np.newaxis]
    is_pair &= (users[columns] == users[rows][:, np.newaxis]) & (before < window)
    is_pair &= (sizes[columns] <= MAX_STEP) & (sizes[rows] <= MAX_STEP)[:, np.newaxis]
    columns, before = columns[is_pair], before[is_pair]
    reach = np.concatenate([[0], np.cumsum(np.arange(1, window + 1) ** -0.5)])  # Σ 1/√d up to each d
    totals = reach[np.minimum(before + sizes[columns], window)] - reach[before]
    ends = np.concatenate([[0], np.cumsum(np.count_nonzero(is_pair, axis=1))])
    means = (totals / sizes[columns]).astype(np.float32)
    return csr_array((means, columns.astype(np.int32), ends), shape=(len(rows), last + 1))
