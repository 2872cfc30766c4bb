"""User-based collaborative filtering: the users' rows that a history is compared with.

sim(u, v) = Σ r_ui r_vi / √(Σ r_ui² · Σ r_vi²), score(u, i) = Σ_v sim(u, v) r_vi / Σ_v |sim(u, v)|
(Breese et al. 1998, "Empirical analysis of predictive algorithms for collaborative filtering"), with r = 1
for chosen items. The recommender computes the sums for a request's history.
"""

import numpy as np
from scipy.sparse import csr_array

from components.train_collaborative_filters.interactions import Interactions


def user_rows(interactions: Interactions, max_users: int) -> csr_array:
    """Return [users, items] float32, rows of unit length, of the `max_users` most recently active users."""
    rows = interactions.of_newest_users(max_users).user_items()
    lengths = np.diff(rows.indptr)
    rows.data /= np.repeat(np.sqrt(lengths), lengths).astype(np.float32)
    return rows
