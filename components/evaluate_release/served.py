"""The ranking as served: the service's own retrieval and reranking, then the rule that filters seen items."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from serving.reranking import Reranker
from serving.retrieval import Query, Retriever

from components.evaluate_release.metrics import MISS
from components.evaluate_release.queries import Indexes, Queries
from components.evaluate_release.ranked import LONGEST, Ranked
from serving.release import FloatArray, Ranking


@dataclass(frozen=True)
class BlendExamples:
    """What the blend is fitted on, one entry a query."""

    features: list[FloatArray]  # [candidates, terms]
    targets: list[int]  # position of the true item among the candidates, -1 when it is none


class ServedRanking:
    """A release's answers to queries; `interest`: [queries, interest size] float32 as its model gave it."""

    def __init__(self, ranking: Ranking, queries: Queries, interest: NDArray[np.float32]) -> None:
        self._retriever, self._reranker = Retriever(ranking), Reranker(ranking)
        self._queries, self._interest = queries, interest

    def examples(self) -> BlendExamples:
        """The features of each query's candidates, before any blend."""
        features, targets = [], []
        for position, target in enumerate(self._queries.targets):
            query, items = self._candidates(position)
            features.append(self._reranker.features(query, items))
            found = np.flatnonzero(items == target)
            targets.append(int(found[0]) if len(found) else -1)
        return BlendExamples(features, targets)

    def answers(self) -> Ranked:
        """A target that is no candidate, or that had been seen, is a miss."""
        ranks = np.full(len(self._queries), MISS, np.int32)
        answered = np.full((len(self._queries), LONGEST), -1, np.int32)
        for position, target in enumerate(self._queries.targets):
            query, items = self._candidates(position)
            scores = self._reranker.scores(query, items)
            best = np.lexsort((items, -scores))[:LONGEST]
            answered[position, : len(best)] = items[best]
            own = scores[items == target]
            if len(own):
                ranks[position] = np.count_nonzero(scores >= own[0])
        return Ranked(ranks, answered)

    def _candidates(self, position: int) -> tuple[Query, Indexes]:
        queries = self._queries
        query = Query(
            history=queries.items[position],
            timestamps=queries.timestamps[position],
            interest=self._interest[position],
            now=int(queries.cutoffs[position]),
        )
        items = self._retriever.retrieve(query).items
        return query, items[np.isin(items, queries.seen[position], invert=True)]
