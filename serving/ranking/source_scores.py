"""Scores of all items for a history: one function for each source of candidates or feature.

`votes` [h] multiply the weights by age; None where every interaction votes with 1.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from serving.ranking.fold_in import fold_in
from serving.ranking.sparse_scores import Scores, SparseScores
from serving.ranking.top_k import top_k
from serving.release.arrays import FloatArray, Indexes
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.sparse import copy_rows
from serving.release.user_sequences import STEP_WEIGHTS, UserSequences

# The weight of an interaction by its age in steps, 1 for the newest. What a user chooses next depends on the
# last few interactions: age ** -NEXT_POWER. What a user likes depends on the last dozens:
# LIKE_DECAY ** (age - 1).
NEXT_POWER: Final = 1.5
NEXT_INTERACTIONS: Final = 50
LIKE_DECAY: Final = 0.93
# Interactions with a lower weight are left out.
MIN_WEIGHT: Final = 0.01

# Nearest users of user_cosine. Fewer than for sequences, because each neighbour contributes all of its items.
USER_NEIGHBOURS: Final = 50


def exponential_weights(count: int) -> FloatArray:
    """Return weights [≤ count] float32, oldest first: LIKE_DECAY ** (age - 1) ≥ MIN_WEIGHT, with sum 1."""
    return _exponential_weights(_interactions_above_min_weight(count))


def power_weights(count: int) -> FloatArray:
    """Return weights [≤ NEXT_INTERACTIONS] float32, oldest first: age ** -NEXT_POWER, with sum 1."""
    return _power_weights(min(count, NEXT_INTERACTIONS), NEXT_POWER)


def weighted(weights: FloatArray, votes: FloatArray | None) -> FloatArray:
    """Return `weights` of the newest interactions, times their votes, with the same sum."""
    if votes is None or not len(weights):
        return weights
    product: FloatArray = weights * votes[len(votes) - len(weights) :]
    product *= weights.sum() / product.sum()
    return product


def transitions(
    filters: CollaborativeFilters, history: Indexes, votes: FloatArray | None = None
) -> tuple[Scores, float]:
    """Return the probability that an item comes soon after the last interactions, and the remaining mass."""
    weights = weighted(power_weights(len(history)), votes)
    scores = _weighted_rows(filters.transitions, history, weights).to_dense()
    return scores, max(0.0, 1.0 - scores.total)


def item_cosine(filters: CollaborativeFilters, history: Indexes, votes: FloatArray | None = None) -> Scores:
    """Return the weighted mean of the cosines to the history's items."""
    return _mean_of_rows(filters.item_cosine, history, votes).to_dense()


def ease(filters: CollaborativeFilters, history: Indexes, votes: FloatArray | None = None) -> Scores | None:
    """Return the weighted mean of EASE's weights from the history's items; None in a release without EASE."""
    if filters.ease is None:
        return None
    return _mean_of_rows(filters.ease, history, votes).to_dense()


def als_user(item_factors: FloatArray, history: Indexes, votes: FloatArray | None = None) -> FloatArray:
    """Return the user's factors [factors], folded in from the history; scores are item_factors @ factors.

    Without the user's dislikes: as zeros with the confidence of training they change NDCG@10 of these scores
    on the validation split of MovieLens-100K by -.0001 ± .0009 (time) and .0000 ± .0013 (leave-one-out).
    """
    count = _interactions_above_min_weight(len(history))
    strengths = LIKE_DECAY ** np.arange(count - 1, -1, -1, dtype=np.float32)
    if votes is not None:
        strengths = strengths * votes[len(history) - count :]
    return fold_in(item_factors, history[len(history) - count :], strengths)


def user_cosine(filters: CollaborativeFilters, history: Indexes, votes: FloatArray | None = None) -> Scores:
    """Return score(u, i) = Σ_v sim(u, v) r_vi / Σ_v |sim(u, v)| over the nearest users v.

    r_vi is v's rating of i, or the weight of an item that v chose. The items of u are weighted by age. The
    length of u's own row cancels out, so it is not computed.
    """
    similarity = _mean_of_rows(filters.item_users, history, votes).sums
    nearest = top_k(similarity, USER_NEIGHBOURS)
    weights = (similarity[nearest] / similarity[nearest].sum()).astype(np.float32)
    return _weighted_rows(filters.user_items, nearest, weights).to_dense()


def sequence_knn(
    sequences: UserSequences,
    history: Indexes,
    timestamps: NDArray[np.int64],
    votes: FloatArray | None = None,
) -> Scores:
    """Return the scores of what the users with the nearest sequences chose next.

    Args:
        timestamps: [h] µs since the epoch, of `history`.
    """
    weights = weighted(_power_weights(min(len(history), NEXT_INTERACTIONS), 1.0), votes)
    newest = history[len(history) - len(weights) :]
    end = int(timestamps[-1]) if len(timestamps) else 0
    items, choice_weights = sequences.next_choices(newest, weights, end)
    offsets = np.arange(len(items) + 1, dtype=np.int32) * np.int32(len(choice_weights))
    values = np.concatenate([choice_weights] * len(items))
    return SparseScores(items.ravel(), values, offsets, STEP_WEIGHTS, sequences.positions.shape[0]).to_dense()


def content_profile(content: csr_array, history: Indexes, votes: FloatArray | None = None) -> FloatArray:
    """Return the weighted mean [categories] of the history's categories, of unit length, or zeros."""
    profile = _mean_of_rows(content, history, votes).sums
    return profile / max(float(np.linalg.norm(profile)), 1e-9)


def repeats(history: Indexes, item_count: int, votes: FloatArray | None = None) -> Scores:
    """Return how often each item was chosen before, each time weighted by 1 / age, with sum 1."""
    weights = weighted(_power_weights(len(history), 1.0), votes)
    return SparseScores.of(history, weights, item_count).to_dense()


def _mean_of_rows(matrix: csr_array, history: Indexes, votes: FloatArray | None) -> SparseScores:
    return _weighted_rows(matrix, history, weighted(exponential_weights(len(history)), votes))


def _weighted_rows(matrix: csr_array, rows: Indexes, weights: FloatArray) -> SparseScores:
    """Return the last len(weights) of `rows`, weighted."""
    items, values, offsets = copy_rows(matrix, rows[len(rows) - len(weights) :])
    return SparseScores(items, values, offsets, weights, matrix.shape[1])


def _interactions_above_min_weight(count: int) -> int:
    return min(count, int(np.log(MIN_WEIGHT) / np.log(LIKE_DECAY)) + 1)


@lru_cache(maxsize=1024)
def _power_weights(count: int, power: float) -> FloatArray:
    weights = np.arange(count, 0, -1, dtype=np.float32) ** -power
    return weights / max(float(weights.sum()), 1.0)


@lru_cache(maxsize=1024)
def _exponential_weights(count: int) -> FloatArray:
    weights = np.float32(LIKE_DECAY) ** np.arange(count - 1, -1, -1, dtype=np.float32)
    return weights / max(float(weights.sum()), 1.0)
