"""Item-to-item transition probabilities: a Markov chain that looks a few steps ahead.

Rendle et al. 2010, "Factorizing Personalized Markov Chains" (the chain before factorisation); steps over
several items are the skip-grams of Guthrie et al. 2006, "A closer look at skip-gram modelling".
"""

import numpy as np
from scipy.sparse import csr_array

from components.train_collaborative_filters.interactions import Interactions
from components.train_collaborative_filters.top_k_per_row import top_k_per_row


def transitions(
    interactions: Interactions, window: int, backward: float, smoothing: float, neighbours: int
) -> csr_array:
    """Return [items, items] float32: the probability that the column's item follows the row's item.

    An item d steps ahead within `window` has the weight 1/√d, one d steps back `backward` of it. The rest of
    a row, `smoothing` pseudo-counts and the entries beyond the `neighbours` largest, is left to the items'
    popularity (Dirichlet smoothing).
    """
    shape = (interactions.item_count, interactions.item_count)
    counts = csr_array(shape, dtype=np.float32)
    for distance in range(1, window + 1):
        same_user = interactions.users[:-distance] == interactions.users[distance:]
        earlier = interactions.items[:-distance][same_user]
        later = interactions.items[distance:][same_user]
        weights = np.full(len(earlier), distance**-0.5, np.float32)
        counts = counts + csr_array((weights, (earlier, later)), shape=shape)
    if backward:
        counts = counts + backward * counts.T.tocsr()
    totals = np.asarray(counts.sum(axis=1)).ravel() + smoothing
    counts.data /= np.repeat(totals, np.diff(counts.indptr)).astype(np.float32)
    return top_k_per_row(counts, neighbours)
