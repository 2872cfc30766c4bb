"""What each part of a release says about items after a history, computed once a query for all who ask."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse._sparsetools import csr_matvec

from serving.ranking.fold_in import fold_in
from serving.ranking.sparse_scores import DenseScores, SparseScores, is_dense, top_k
from serving.release.arrays import FloatArray, Indexes
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.ranking_data import Ranking
from serving.release.sparse import copied_rows
from serving.release.user_sequences import NEXT, UserSequences

T = TypeVar("T")

# How loudly an interaction speaks, by its age in steps, the newest being 1: what comes next hangs on the last
# few (age ** -1.5), what somebody likes on the last dozens (a share kept at each step back).
NEXT_POWER: Final = 1.5
NEXT_INTERACTIONS: Final = 50
TASTE_DECAY: Final = 0.93
# What has faded below this is left out.
MIN_WEIGHT: Final = 0.01

# Users like this one who are asked.
NEIGHBOURS: Final = 50

# Rows of factors are read one after another so many times as fast as here and there.
GATHER_COST: Final = 4


@dataclass(frozen=True, eq=False)
class Query:
    """One question to a release; what has been worked out for it is kept in `memo`."""

    history: Indexes  # [h] item indexes, oldest first, unknown items dropped
    timestamps: NDArray[np.int64]  # [h] µs since the epoch
    interest: FloatArray | None  # [interest size]; None when the model didn't answer
    now: int  # µs since the epoch
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)

    def informed(self, interest: FloatArray) -> "Query":
        """The same with an interest; what has been worked out without one is taken over."""
        return replace(self, interest=interest, memo=dict(self.memo))

    def at(self, now: int) -> "Query":
        """The same at another moment, on which nothing that is kept depends where there is a history."""
        return replace(self, now=now)

    def once(self, what: str, of: object, compute: Callable[[], T]) -> T:
        """`compute()`, kept by the part of a release that is asked: one query may be put to two releases."""
        key = (what, id(of))
        if key not in self.memo:
            self.memo[key] = compute()
        value: T = self.memo[key]
        return value


def exponential_weights(count: int) -> FloatArray:
    """[≤ count] float32, oldest first: TASTE_DECAY ** steps back, summing to 1, of what is audible."""
    return _exponential_weights(min(count, int(np.log(MIN_WEIGHT) / np.log(TASTE_DECAY)) + 1))


def recent(count: int) -> FloatArray:
    """[≤ count] float32, oldest first: age ** -NEXT_POWER, summing to 1, of the last NEXT_INTERACTIONS."""
    return _by_age(min(count, NEXT_INTERACTIONS), NEXT_POWER)


def logits(ranking: Ranking, query: Query) -> FloatArray:
    """[items] float32: interest · embedding."""
    return query.once(
        "logits", ranking.item_embeddings, lambda: ranking.item_embeddings @ np.asarray(query.interest)
    )


def transitions(filters: CollaborativeFilters, query: Query) -> tuple[SparseScores | DenseScores, float]:
    """The probabilities of coming soon after the last interactions, and the mass left to popularity."""
    return query.once("transitions", filters.transitions, lambda: _transitions(filters.transitions, query))


def item_cosine(filters: CollaborativeFilters, query: Query) -> SparseScores | DenseScores:
    """The faded mean of the cosines to the history's items."""
    matrix = filters.item_cosine
    return query.once("item_cosine", matrix, lambda: _faded(matrix, query.history).to_dense())


def ease(filters: CollaborativeFilters, query: Query) -> SparseScores | DenseScores | None:
    """The faded mean of EASE's weights from the history's items; None where EASE was left out."""
    matrix = filters.ease
    if matrix is None:
        return None
    return query.once("ease", matrix, lambda: _faded(matrix, query.history).to_dense())


def als(filters: CollaborativeFilters, query: Query, items: Indexes) -> FloatArray | None:
    """[m] what the factorisation says of `items` after the faded history; None where ALS was left out."""
    factors = filters.als
    if factors is None:
        return None
    user = query.once("als", factors, lambda: _faded_user(factors, query.history))
    if len(items) * GATHER_COST < len(factors):
        return factors.take(items, axis=0) @ user
    every: FloatArray = (factors @ user).take(items)
    return every


def user_cosine(filters: CollaborativeFilters, query: Query) -> SparseScores | DenseScores:
    """score(u, i) = Σ_v sim(u, v) r_vi / Σ_v |sim(u, v)| over the nearest users v, r_vi = 1 for what v chose.

    The length of u's own row would cancel out, so it isn't taken; what u chose fades with age.
    """
    return query.once("user_cosine", filters.user_items, lambda: _user_cosine(filters, query))


def sequence_knn(filters: CollaborativeFilters, query: Query) -> SparseScores | DenseScores | None:
    """What the users nearest in sequence chose next; None where sequences were left out."""
    sequences = filters.user_sequences
    if sequences is None:
        return None
    return query.once("sequence_knn", sequences, lambda: _sequence_knn(sequences, query))


def content_profile(content: csr_array, query: Query) -> FloatArray:
    """[categories] float32 of unit length: the faded mean of the history's categories; 0 without any."""
    return query.once("content", content, lambda: _content_profile(content, query.history))


def content_cosine(content: csr_array, query: Query, items: Indexes) -> FloatArray:
    """[m] float32: of the categories of `items` with the history's."""
    profile = content_profile(content, query)
    if is_dense(content.shape[0]):
        every: FloatArray = query.once("content of all", content, lambda: content @ profile)
        return every.take(items)
    columns, values, starts = copied_rows(content, items)
    cosines = np.zeros(len(items), np.float32)
    csr_matvec(len(items), len(profile), starts, columns, values, profile, cosines)
    return cosines


def repeats(query: Query, item_count: int) -> SparseScores | DenseScores:
    """How much each item has been chosen, by 1/age of each time."""
    return SparseScores.of(query.history, _by_age(len(query.history), 1.0), item_count).to_dense()


def _transitions(matrix: csr_array, query: Query) -> tuple[SparseScores | DenseScores, float]:
    weights = recent(len(query.history))
    votes = _rows(matrix, query.history, weights)
    return votes.to_dense(), max(0.0, 1.0 - votes.total)


def _user_cosine(filters: CollaborativeFilters, query: Query) -> SparseScores | DenseScores:
    similarity = _faded(filters.item_users, query.history).sums
    nearest = top_k(similarity, NEIGHBOURS)
    weights = (similarity[nearest] / similarity[nearest].sum()).astype(np.float32)
    votes = _rows(filters.user_items, nearest, weights)
    return replace(votes, values=np.ones(len(votes.values), np.float32)).to_dense()


def _sequence_knn(sequences: UserSequences, query: Query) -> SparseScores | DenseScores:
    weights = _by_age(min(len(query.history), NEXT_INTERACTIONS), 1.0)
    newest = query.history[len(query.history) - len(weights) :]
    now = int(query.timestamps[-1]) if len(query.timestamps) else query.now
    ahead, loudness = sequences.following(newest, weights, now)
    starts = np.arange(len(ahead) + 1, dtype=np.int32) * np.int32(len(loudness))
    votes = SparseScores(
        ahead.ravel(), np.tile(loudness, len(ahead)), starts, NEXT, sequences.places.shape[0]
    )
    return votes.to_dense()


def _faded_user(item_factors: FloatArray, history: Indexes) -> FloatArray:
    strengths = TASTE_DECAY ** np.arange(len(exponential_weights(len(history))) - 1, -1, -1, dtype=np.float32)
    return fold_in(item_factors, history[len(history) - len(strengths) :], strengths)


def _content_profile(content: csr_array, history: Indexes) -> FloatArray:
    profile = _faded(content, history).sums
    return profile / max(float(np.linalg.norm(profile)), 1e-9)


def _faded(matrix: csr_array, history: Indexes) -> SparseScores:
    return _rows(matrix, history, exponential_weights(len(history)))


def _rows(matrix: csr_array, rows: Indexes, weights: FloatArray) -> SparseScores:
    """The last len(weights) of `rows`, weighted."""
    items, values, starts = copied_rows(matrix, rows[len(rows) - len(weights) :])
    return SparseScores(items, values, starts, weights, matrix.shape[1])


@lru_cache(maxsize=1024)
def _by_age(count: int, power: float) -> FloatArray:
    weights = np.arange(count, 0, -1, dtype=np.float32) ** -power
    return weights / max(float(weights.sum()), 1.0)


@lru_cache(maxsize=1024)
def _exponential_weights(count: int) -> FloatArray:
    weights = np.float32(TASTE_DECAY) ** np.arange(count - 1, -1, -1, dtype=np.float32)
    return weights / max(float(weights.sum()), 1.0)
