"""Answers queries with the recommender's own retrieval, rules and reranking."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evaluate_release.data.queries import Queries
from components.evaluate_release.data.ranked_queries import MAX_LENGTH, RankedQueries
from components.evaluate_release.metrics.accuracy import MISS
from serving.ranking.cold_start import Profile, cold_scores
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
    """Answers queries from one release."""

    def __init__(
        self,
        ranking: Ranking,
        queries: Queries,
        interest: NDArray[np.float32],
        profiles: Mapping[str, Profile] | None = None,
    ) -> None:
        """Load the release as the recommender does.

        Args:
            interest: [queries, interest size] computed by the release's interest model.
            profiles: user -> attributes, used for users without a history.
        """
        self._release = LoadedRelease(ranking)
        self._queries, self._interest, self._profiles = queries, interest, profiles or {}

    def examples(self) -> BlendExamples:
        """Return the features of each query's candidates; queries whose history has no vote are left out."""
        examples = BlendExamples([], [])
        for position, target in enumerate(self._queries.targets):
            query, items = self._candidates(position)
            if len(query.history):
                position_of_target = np.flatnonzero(items == target)
                examples.features.append(self._release.reranker.features(query, items))
                examples.targets.append(int(position_of_target[0]) if len(position_of_target) else -1)
        return examples

    def answers(self) -> RankedQueries:
        """Rank each query's candidates; a target that is not retrieved, or excluded by a rule, is a miss."""
        ranks = np.full(len(self._queries), MISS, np.int32)
        answered = np.full((len(self._queries), MAX_LENGTH), -1, np.int32)
        for position, target in enumerate(self._queries.targets):
            query, items = self._candidates(position)
            scores = self._scores(position, query, items)
            first = items[best_positions(scores, MAX_LENGTH)]
            answered[position, : len(first)] = first
            own = scores[items == target]
            if len(own):
                ranks[position] = np.count_nonzero(scores >= own[0])
        return RankedQueries(ranks, answered)

    def _candidates(self, position: int) -> tuple[Query, Indexes]:
        user = self._release.index(UserHistory(self._queries.histories[position]))
        query = user.query(None if user.is_cold else self._interest[position])
        rules = Rules(self._now(position), excluded=self._queries.seen[position], disliked=user.disliked)
        retrieved = self._release.retriever.retrieve(query)
        return query, self._release.item_filter.select(rules, retrieved, MAX_LENGTH).items

    def _scores(self, position: int, query: Query, items: Indexes) -> FloatArray:
        """Score by the blend, or without a vote by the cold-start rules: profile, segment trend, trend."""
        if len(query.history):
            return self._release.reranker.scores(query, items)
        profile = self._profiles.get(self._queries.user_ids[position], {})
        return cold_scores(self._release, items, self._now(position), profile, query).scores

    def _now(self, position: int) -> int:
        return int(self._queries.cutoffs[position])
