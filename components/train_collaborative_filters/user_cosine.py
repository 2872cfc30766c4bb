"""User-based collaborative filtering: the users' rows that a history is compared with.

sim(u, v) = Σ r_ui r_vi / √(Σ r_ui² · Σ r_vi²), score(u, i) = Σ_v sim(u, v) r_vi / Σ_v |sim(u, v)|
(Breese et al. 1998, "Empirical analysis of predictive algorithms for collaborative filtering"). r is the
rating as a share of the highest one, or the weight of a chosen item, 0 for all others. The recommender
computes the sums for a request's history.
"""

from scipy.sparse import csr_array

from components.train_collaborative_filters.interactions import Interactions


def user_rows(interactions: Interactions, max_users: int) -> csr_array:
    """Return r [users, items] float32 of the `max_users` most recently active users.

    Args:
        interactions: their weights are r; of an item's interactions the largest counts.
    """
    return interactions.of_newest_users(max_users).user_items()
