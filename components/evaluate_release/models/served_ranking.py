"""Answers queries with the recommender's own retrieval, rules and reranking."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from components.evaluate_release.data.judged_histories import judge
from components.evaluate_release.data.queries import Queries
from components.evaluate_release.models.source_blocks import block_size, compute_sources
from components.metrics.accuracy import MISS
from components.metrics.ranked_queries import MAX_LENGTH, RankedQueries
from feature_repo.searches import Searches
from serving.ranking.blend_features import FEATURES
from serving.ranking.cold_start import Profile, cold_scores, log_shares
from serving.ranking.indexed_user import IndexedUser
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.query import Query
from serving.ranking.rules import Rules
from serving.ranking.top_k import best_positions
from serving.release.arrays import FloatArray, Indexes
from serving.release.ranking_data import Ranking
from serving.user_history import UserHistory


@dataclass(frozen=True)
class BlendExamples:
    """The data that the blend is fitted on, one entry per query whose history has a vote."""

    features: list[FloatArray]  # [candidates, features]
    targets: list[int]  # position of the target among the candidates, -1 if it is not a candidate


class ServedRanking:
    """Answers queries from one release with the code that answers requests, the sources block by block.

    On one thread: arrays of this size make threads wait for each other, which takes up to 8 × the CPU time.
    """

    def __init__(
        self,
        ranking: Ranking,
        queries: Queries,
        interest: NDArray[np.float32],
        profiles: Mapping[str, Profile] | None = None,
        max_block: int | None = None,
    ) -> None:
        """Load the release as the recommender does.

        Args:
            interest: [queries, interest size] computed by the release's interest model.
            profiles: user -> attributes, used for users without a history.
            max_block: queries in a block; None for as many as the memory of a block allows.
        """
        self._release = LoadedRelease(ranking)
        self._queries, self._interest, self._profiles = queries, interest, profiles or {}
        self._max_block = max_block or block_size(ranking)
        weights = dict(zip(ranking.blend.get("features", ()), ranking.blend.get("weights", ()), strict=False))
        self._used = {name for name in FEATURES if not weights or weights.get(name)}

    def examples(self) -> BlendExamples:
        """Return the features of each query's candidates; queries whose history has no vote are left out."""
        examples = BlendExamples([], [])
        with threadpool_limits(1):
            for position, query, items in self._candidates():
                if len(query.history):
                    position_of_target = np.flatnonzero(items == self._queries.targets[position])
                    examples.features.append(self._release.reranker.features(query, items))
                    examples.targets.append(int(position_of_target[0]) if len(position_of_target) else -1)
        return examples

    def best_log_odds(self, count: int) -> list[tuple[Indexes, FloatArray]]:
        """Return the best candidates of each query [≤ count], best first, and their scores in log odds."""
        best = []
        with threadpool_limits(1):
            for position, query, items in self._candidates():
                log_odds = self._log_odds(position, query, items)
                first = best_positions(log_odds, count)
                best.append((items[first], log_odds[first]))
        return best

    def answers(self, *, balanced: bool = False) -> RankedQueries:
        """Rank each query's candidates; a target that is not retrieved, or excluded by a rule, is a miss.

        `balanced`: with the release's exposure offsets, as a scenario with `balance_exposure` ranks.
        """
        ranks = np.full(len(self._queries), MISS, np.int32)
        answered = np.full((len(self._queries), MAX_LENGTH), -1, np.int32)
        with threadpool_limits(1):
            for position, query, items in self._candidates():
                scores = (self._balanced if balanced else self._scores)(position, query, items)
                first = items[best_positions(scores, MAX_LENGTH)]
                answered[position, : len(first)] = first
                own = scores[items == self._queries.targets[position]]
                if len(own):
                    ranks[position] = np.count_nonzero(scores >= own[0])
        return RankedQueries(ranks, answered)

    def _candidates(self) -> Iterator[tuple[int, Query, Indexes]]:
        """Yield each query's position, with the items that the rules permit among those retrieved."""
        for start in range(0, len(self._queries), self._max_block):
            positions = range(start, min(start + self._max_block, len(self._queries)))
            users = self._users(positions)
            queries = [
                user.query(None if user.is_cold else self._interest[position])
                for position, user in zip(positions, users, strict=True)
            ]
            compute_sources(self._release.ranking, queries, self._used)
            self._release.retriever.search_together(queries)
            for position, user, query in zip(positions, users, queries, strict=True):
                rules = Rules(
                    self._now(position), excluded=self._queries.seen[position], disliked=user.disliked
                )
                retrieved = self._release.retriever.retrieve(query)
                yield position, query, self._release.item_filter.select(rules, retrieved, MAX_LENGTH).items

    def _users(self, positions: range) -> list[IndexedUser]:
        """Index users as LoadedRelease does, but apply the feedback policy to all of them at once."""
        users = [self._user(position) for position in positions]
        ranking, histories = self._release.ranking, [user.history for user in users]
        index = ranking.catalog.index
        items = [np.array([index.get(item, -1) for item in own.item_ids], np.int32) for own in histories]
        judged = judge(histories, items, len(ranking.catalog), ranking.feedback)
        return [IndexedUser(ranking, *pair) for pair in zip(users, judged, strict=True)]

    def _user(self, position: int) -> UserHistory:
        """Return what the recommender would read of the query's user at the cutoff."""
        queries, item_ids = self._queries, self._release.ranking.catalog.item_ids
        disliked = queries.disliked_before[position].tolist() if queries.disliked_before else ()
        return UserHistory(
            queries.histories[position],
            disliked_before=[item_ids[item] for item in disliked],
            searches=queries.searches[position] if queries.searches else Searches(),
        )

    def _scores(self, position: int, query: Query, items: Indexes) -> FloatArray:
        """Score by the blend, or without a vote by the cold-start rules: profile, segment trend, trend."""
        if len(query.history):
            return self._release.reranker.scores(query, items)
        profile = self._profiles.get(self._queries.user_ids[position], {})
        return cold_scores(self._release, items, self._now(position), profile, query).scores

    def _log_odds(self, position: int, query: Query, items: Indexes) -> FloatArray:
        scores = self._scores(position, query, items)
        return scores if len(query.history) else log_shares(scores)

    def _balanced(self, position: int, query: Query, items: Indexes) -> FloatArray:
        offsets = self._release.ranking.exposure_offsets
        assert offsets is not None
        balanced: FloatArray = self._log_odds(position, query, items) + offsets[items]
        return balanced

    def _now(self, position: int) -> int:
        return int(self._queries.cutoffs[position])
