"""Item-to-item transition probabilities: a Markov chain that looks a few interactions ahead.

Rendle et al. 2010, "Factorizing Personalized Markov Chains" (the chain before factorisation); pairs over
several items are the skip-grams of Guthrie et al. 2006, "A closer look at skip-gram modelling".
"""

from typing import Final

import numpy as np
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
    ahead, offsets = _steps_ahead(interactions, window), interactions.step_offsets
    steps = csr_array((interactions.weights, interactions.items, offsets), shape=(len(offsets) - 1, shape[1]))
    for start in range(0, len(offsets) - 1, BLOCK):
        block = slice(start, start + BLOCK)
        counts = counts + steps[block].T.tocsr() @ (ahead[block] @ steps)
    if backward:
        counts = counts + backward * counts.T.tocsr()
    totals = np.asarray(counts.sum(axis=1)).ravel() + smoothing
    counts.data /= np.repeat(totals, np.diff(counts.indptr)).astype(np.float32)
    return top_k_per_row(counts, neighbours)


def _steps_ahead(interactions: Interactions, window: int) -> csr_array:
    """Return [steps, steps] float32: the mean 1/√d of the interactions of the column's step."""
    offsets = interactions.step_offsets
    sizes, users = np.diff(offsets), interactions.users[offsets[:-1]]
    is_counted = sizes <= MAX_STEP
    reach = np.concatenate([[0], np.cumsum(np.arange(1, window + 1) ** -0.5)])  # Σ 1/√d up to each d
    rows, columns, weights = [], [], []
    for steps in range(1, min(window, len(sizes) - 1) + 1):
        # The interactions after the row's step that are before the column's step, and up to its end.
        before, until = offsets[steps:-1] - offsets[1:-steps], offsets[steps + 1 :] - offsets[1:-steps]
        is_pair = (users[steps:] == users[:-steps]) & (before < window)
        row = np.flatnonzero(is_pair & is_counted[steps:] & is_counted[:-steps])
        total = reach[np.minimum(until[row], window)] - reach[before[row]]
        rows.append(row)
        columns.append(row + steps)
        weights.append(total / sizes[row + steps])
    entries = [np.concatenate([*parts, np.empty(0)]) for parts in (weights, rows, columns)]
    coordinates = (entries[1].astype(np.int32), entries[2].astype(np.int32))
    return csr_array((entries[0].astype(np.float32), coordinates), shape=(len(sizes), len(sizes)))
