"""Scores of all items for a block of histories: serving.ranking.source_scores by products of sparse matrices.

Each sum has the terms of the request path in the same order, so the scores are equal bit by bit, whatever the
size of the block.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from typing import Final

import numpy as np
from scipy.sparse import csr_array

from serving.ranking.query import Query
from serving.ranking.source_scores import USER_NEIGHBOURS, exponential_weights, power_weights, weighted
from serving.ranking.sparse_scores import DenseScores, is_dense
from serving.ranking.top_k import top_k
from serving.release.arrays import FloatArray
from serving.release.ranking_data import Ranking

# Numbers that the arrays of a block hold: 128 MB of float32.
MAX_SCORES: Final = 32_000_000
# Arrays of a block with a number per query and item: five sources, the content, the product being made, and
# what a query computes itself and keeps: logits, factorisation, sequences, dislikes and searches.
_ARRAYS: Final = 12


def block_size(ranking: Ranking) -> int:
    """Return how many queries a block has at most, so that its arrays hold about MAX_SCORES numbers."""
    items, categories = ranking.catalog.content.shape
    return max(1, MAX_SCORES // (_ARRAYS * max(int(items), int(categories), 1)))


def compute_sources(ranking: Ranking, queries: Sequence[Query], used: Container[str]) -> None:
    """Compute the sources `used` for all queries, which keep their scores.

    A large catalog's queries compute their own, which are sparse.
    """
    if not is_dense(len(ranking.catalog)) or not queries:
        return
    filters = ranking.filters
    liked = _history_weights(ranking, queries, exponential_weights)
    if "transitions" in used:
        rows = _history_weights(ranking, queries, power_weights) @ filters.transitions
        for query, scores in zip(queries, _dense(rows), strict=True):
            query.keep("transitions", (scores, max(0.0, 1.0 - scores.total)))
    for name, matrix in (("item_cosine", filters.item_cosine), ("ease", filters.ease)):
        if name in used and matrix is not None:
            _keep(name, queries, _dense(liked @ matrix))
    if "user_cosine" in used:
        nearest = _nearest_users(csr_array(liked @ filters.item_users))
        _keep("user_cosine", queries, _dense(nearest @ filters.user_items))
    if "content" in used:
        profiles = _profiles((liked @ ranking.catalog.content).toarray())
        _keep("content_profile", queries, profiles)
        _keep("content_cosine", queries, np.ascontiguousarray((ranking.catalog.content @ profiles.T).T))


def _keep(name: str, queries: Sequence[Query], values: "Iterator[DenseScores] | FloatArray") -> None:
    for query, value in zip(queries, values, strict=True):
        query.keep(name, value)


def _history_weights(
    ranking: Ranking, queries: Sequence[Query], weights_of: Callable[[int], FloatArray]
) -> csr_array:
    """Return [queries, items] an entry for each weighted interaction of a history."""
    weights = [weighted(weights_of(len(query.history)), query.votes) for query in queries]
    items = [
        query.history[len(query.history) - len(own) :] for query, own in zip(queries, weights, strict=True)
    ]
    return _rows(items, weights, len(ranking.catalog))


def _nearest_users(similarity: csr_array) -> csr_array:
    """Return [queries, users] the weights of the nearest users, as source_scores.user_cosine weights them."""
    similarity.sort_indices()
    users, weights = [], []
    for start, end in zip(similarity.indptr[:-1], similarity.indptr[1:], strict=True):
        own = similarity.data[start:end]
        nearest = top_k(own, USER_NEIGHBOURS)
        users.append(similarity.indices[start:end][nearest])
        weights.append((own[nearest] / own[nearest].sum()).astype(np.float32))
    return _rows(users, weights, similarity.shape[1])


def _profiles(profiles: FloatArray) -> FloatArray:
    """Scale each of `profiles` [queries, categories] to unit length."""
    lengths = np.array([max(float(np.linalg.norm(row)), 1e-9) for row in profiles], np.float32)
    scaled: FloatArray = profiles / lengths[:, np.newaxis]
    return scaled


def _rows(columns: Sequence[np.ndarray], values: Sequence[FloatArray], width: int) -> csr_array:
    """Return the matrix [rows, width] with these entries, which may repeat a column."""
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in columns])]).astype(np.int32)
    indices = np.concatenate(columns).astype(np.int32, copy=False)
    return csr_array((np.concatenate(values), indices, offsets), shape=(len(columns), width))


def _dense(rows: csr_array) -> Iterator[DenseScores]:
    for row in rows.toarray():
        yield DenseScores(row)
