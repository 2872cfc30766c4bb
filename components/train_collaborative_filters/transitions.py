"""Which items follow which: an item-to-item Markov chain that looks a few steps ahead.

Rendle et al. 2010, "Factorizing Personalized Markov Chains" (the chain that they factorise); the skips over
a few steps are the skip-grams of Guthrie et al. 2006, "A closer look at skip-gram modelling".
"""

import numpy as np
from scipy.sparse import csr_array

from components.train_collaborative_filters.interactions import Interactions
from components.train_collaborative_filters.strongest import strongest


def transitions(
    interactions: Interactions, window: int, backward: float, smoothing: float, neighbours: int
) -> csr_array:
    """[items, items] float32: P(column is among what comes soon after row).

    An item d steps ahead within `window` counts 1/√d, one as far behind `backward` of it. A row sums to
    less than 1, by `smoothing` counts and by what is beyond its `neighbours` strongest entries: that mass
    belongs to the items' popularity (Dirichlet smoothing).
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
    return strongest(counts, neighbours)
