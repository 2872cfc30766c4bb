"""A query: a user's history and interest, and the scores that one release computes for them."""

from collections.abc import Callable, Hashable
from copy import copy
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from serving.ranking import source_scores
from serving.ranking.dislikes import Dislikes
from serving.ranking.search_matches import SearchMatches
from serving.ranking.signed_history import SignedHistory
from serving.ranking.sparse_scores import Scores, is_dense
from serving.release.arrays import FloatArray, Indexes
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.ranking_data import Ranking
from serving.release.sparse import rows_dot

T = TypeVar("T")

# Reading rows of factors at scattered indexes takes this many times as long as reading them in order.
GATHER_COST: Final = 4


class Query:
    """A history and an interest, with the scores that one release computes for them.

    Each score is computed on first use and kept, so that retrieval, reranking and the user's next answer
    share it. Not locked: two threads may compute the same value twice, with the same result.
    """

    def __init__(
        self,
        ranking: Ranking,
        history: Indexes,
        timestamps: NDArray[np.int64],
        interest: FloatArray | None = None,
        votes: FloatArray | None = None,
        dislikes: Dislikes | None = None,
        searches: SearchMatches | None = None,
    ) -> None:
        """Store the arguments; scores are computed on first use.

        Args:
            history: [h] indexes of the items that the user chose, oldest first.
            timestamps: [h] µs since the epoch.
            interest: [interest size]; None when the model did not answer.
            votes: [h] how much each interaction votes for its item; None where each is 1.
            dislikes: what the user dislikes now; None for nothing.
            searches: what matches the user's last searches; None for nothing.
        """
        self.ranking, self.history, self.timestamps, self.interest = ranking, history, timestamps, interest
        self.votes, self.dislikes, self.searches = votes, dislikes, searches
        self._by_history: dict[Hashable, Any] = {}
        self._by_interest: dict[Hashable, Any] = {}

    @classmethod
    def of(cls, ranking: Ranking, history: SignedHistory, searches: SearchMatches | None = None) -> "Query":
        """Build from a history with negative interactions, which vote for nothing."""
        return cls(
            ranking,
            history.items,
            history.timestamps,
            votes=history.votes,
            dislikes=history.dislikes,
            searches=searches,
        )

    def with_interest(self, interest: FloatArray) -> "Query":
        """Return the same query with an interest; both share the scores that need no interest."""
        query = copy(self)
        query.interest, query._by_interest = interest, {}
        return query

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return `compute()`, which depends on the history alone; only the first call with a key computes."""
        return _once(self._by_history, key, compute)

    def once_by_interest(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return `compute()`, which depends on the interest too; only the first call with a key computes."""
        return _once(self._by_interest, key, compute)

    def last(self, key: Hashable, inputs: Hashable, compute: Callable[[], T]) -> T:
        """Return `compute()`, which depends on the interest and `inputs`; only its last value is kept."""
        last = self._by_interest.get(key)
        if last is None or last[0] != inputs:
            last = self._by_interest[key] = inputs, compute()
        value: T = last[1]
        return value

    def keep(self, key: Hashable, value: object) -> None:
        """Keep a value that `once` returns for `key`: computed for many queries together, it costs less."""
        self._by_history[key] = value

    def keep_by_interest(self, key: Hashable, value: object) -> None:
        """Keep a value that `once_by_interest` returns for `key`."""
        self._by_interest[key] = value

    def logits(self) -> FloatArray:
        """Return interest · embedding [items] float32."""
        embeddings = self.ranking.item_embeddings
        return self.once_by_interest("logits", lambda: embeddings @ np.asarray(self.interest))

    def logits_of(self, items: Indexes) -> FloatArray:
        """Return interest · embedding [m] float32 of `items` [m]."""
        embeddings = self.ranking.item_embeddings
        if not _are_few(items, embeddings):
            return self.logits().take(items)
        logits: FloatArray = embeddings.take(items, axis=0) @ np.asarray(self.interest)
        return logits

    def transitions(self) -> tuple[Scores, float]:
        """Return what source_scores.transitions returns."""
        return self.once("transitions", lambda: source_scores.transitions(*self._history_and_votes()))

    def item_cosine(self) -> Scores:
        """Return what source_scores.item_cosine returns."""
        return self.once("item_cosine", lambda: source_scores.item_cosine(*self._history_and_votes()))

    def user_cosine(self) -> Scores:
        """Return what source_scores.user_cosine returns."""
        return self.once("user_cosine", lambda: source_scores.user_cosine(*self._history_and_votes()))

    def ease(self) -> Scores | None:
        """Return what source_scores.ease returns."""
        return self.once("ease", lambda: source_scores.ease(*self._history_and_votes()))

    def sequence_knn(self) -> Scores | None:
        """Return what source_scores.sequence_knn returns; None in a release without sequences."""
        sequences = self.ranking.filters.user_sequences
        if sequences is None:
            return None
        return self.once(
            "sequence_knn",
            lambda: source_scores.sequence_knn(sequences, self.history, self.timestamps, self.votes),
        )

    def als(self, items: Indexes) -> FloatArray | None:
        """Return the matrix factorisation's scores [m] of `items` [m]; None in a release without ALS."""
        factors = self.ranking.filters.als
        if factors is None:
            return None
        user = self.once("als", lambda: source_scores.als_user(factors, self.history, self.votes))
        if _are_few(items, factors):
            return factors.take(items, axis=0) @ user
        scores: FloatArray = (factors @ user).take(items)
        return scores

    def content_profile(self) -> FloatArray:
        """Return what source_scores.content_profile returns."""
        content = self.ranking.catalog.content
        return self.once(
            "content_profile", lambda: source_scores.content_profile(content, self.history, self.votes)
        )

    def content_cosine(self, items: Indexes) -> FloatArray:
        """Return the cosine [m] float32 of the categories of `items` [m] with those of the history."""
        content, profile = self.ranking.catalog.content, self.content_profile()
        if not is_dense(content.shape[0]):
            return rows_dot(content, items, profile)
        scores: FloatArray = self.once("content_cosine", lambda: content @ profile)
        return scores.take(items)

    def repeats(self) -> Scores:
        """Return what source_scores.repeats returns."""
        return source_scores.repeats(self.history, len(self.ranking.catalog), self.votes)

    def likeness_to_disliked(self, items: Indexes) -> FloatArray | None:
        """Return what Dislikes.of_items returns [m] for `items` [m]; None without dislikes."""
        dislikes, count = self.dislikes, len(self.ranking.catalog)
        if dislikes is None:
            return None
        if not is_dense(count):
            return dislikes.of_items(items)
        everything = np.arange(count, dtype=np.int32)
        likeness: FloatArray = self.once("dislikes", lambda: dislikes.of_items(everything))
        return likeness.take(items)

    def search_matches(self) -> Scores | None:
        """Return what SearchMatches.scores returns; None without searches."""
        return None if self.searches is None else self.once("searches", self.searches.scores)

    def _history_and_votes(self) -> tuple[CollaborativeFilters, Indexes, FloatArray | None]:
        return self.ranking.filters, self.history, self.votes


def _are_few(items: Indexes, table: FloatArray) -> bool:
    """Return whether reading the rows of `items` alone takes less time than reading the whole table."""
    return len(items) * GATHER_COST < len(table)


def _once(computed: dict[Hashable, Any], key: Hashable, compute: Callable[[], T]) -> T:
    if key not in computed:
        computed[key] = compute()
    value: T = computed[key]
    return value
