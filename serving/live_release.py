"""A release opened for answering: everything of one version behind one reference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_repo.histories import History
from serving.answers import Recommendation
from serving.reasons import Reasons
from serving.release import FloatArray, Ranking
from serving.request import Request
from serving.reranking import TERMS, Reranker
from serving.retrieval import SOURCES, Candidates, Query, Retriever, SourceBits
from serving.rules import Rulebook, Rules, best
from serving.signals import Indexes, strongest

# Where no time is left to retrieve, the most trending items are the candidates.
_TRENDING = 2_000


@dataclass(frozen=True, eq=False)
class Recognized:
    """The interactions of a history whose items the catalog knows, oldest first."""

    items: Indexes  # [h]
    timestamps: NDArray[np.int64]  # [h] µs since the epoch
    event_types: list[str]  # [h]


@dataclass(frozen=True, eq=False)
class Ranked:
    """The items of an answer, best first."""

    items: Indexes  # [k]
    sources: NDArray[SourceBits]  # [k] bits as in Candidates
    scores: FloatArray  # [k]
    shares: FloatArray  # [k, terms] what each term adds; a row sums to its score
    lifts: FloatArray  # [k, terms] what each term adds beyond what it adds to an ordinary item


class LiveRelease:
    """A request takes this reference once, so that its answer never mixes two versions."""

    def __init__(self, ranking: Ranking) -> None:
        """Builds the index, and ranks once so that the first client does not pay for what is made lazily.

        Raises:
            ReleaseError: the index of a large catalog would miss too much.
            ValueError: the blend names a term that this version does not compute.
        """
        self.ranking, self.version = ranking, ranking.version
        self.retriever, self.reranker = Retriever(ranking), Reranker(ranking)
        self.rulebook = Rulebook(ranking.catalog, ranking.filters.popularity)
        self.reasons = Reasons(ranking)
        # Where people come back to the same items, the evaluation found that answers should too.
        self._keeps_seen = ranking.manifest.get("seen_items") == "keep"
        trending = np.sort(strongest(ranking.filters.trend, _TRENDING))
        self.trending = Candidates(trending, np.full(len(trending), 1 << SOURCES.index("trend"), SourceBits))
        self._rank_once()

    def recognize(self, history: History) -> Recognized:
        """What the catalog knows of a history."""
        index = self.ranking.catalog.index
        items = np.array([index.get(item, -1) for item in history.item_ids], np.int32)
        timestamps = np.array(history.timestamps, np.int64)
        known = items >= 0
        if known.all():
            return Recognized(items, timestamps, history.event_types)
        event_types = [history.event_types[place] for place in np.flatnonzero(known)]
        return Recognized(items[known], timestamps[known], event_types)

    def rules(self, request: Request, query: Query) -> Rules:
        """What the request permits, in this catalog's indexes; ids it doesn't know are ignored."""
        excluded = self._indexes(request.exclude)
        if not (request.include_seen or self._keeps_seen):
            excluded = np.concatenate([excluded, query.history])
        return Rules(
            now=query.now,
            excluded=excluded,
            allowed=self._indexes(request.allow) if request.allow else None,
            domain=request.domain,
            categories=tuple(request.categories),
        )

    def rank(self, query: Query, candidates: Candidates, k: int) -> Ranked:
        """The k best candidates by the blend."""
        shares = self.reranker.contributions(query, candidates.items)
        scores = shares.sum(axis=1)
        chosen = best(scores, k)
        # What is ordinary: the mean over interactions, so an item is not lifted by being popular alone.
        weights = self.ranking.filters.popularity[candidates.items]
        ordinary = weights @ shares / max(float(weights.sum()), 1.0)
        return Ranked(
            candidates.items[chosen],
            candidates.sources[chosen],
            scores[chosen],
            shares[chosen],
            shares[chosen] - ordinary,
        )

    def present(
        self, query: Query, event_types: Sequence[str], ranked: Ranked, explain: bool
    ) -> list[Recommendation]:
        """What is answered, with titles, sources and reasons; with `explain`, with each term's share."""
        catalog = self.ranking.catalog
        reasons = self.reasons.of(query, event_types, ranked.items, ranked.lifts, explain)
        rows = zip(
            ranked.items.tolist(), ranked.sources.tolist(), ranked.scores.tolist(), reasons, strict=True
        )
        return [
            Recommendation(
                item_id=catalog.item_ids[item],
                title=catalog.titles[item],
                categories=catalog.categories[item],
                score=score,
                sources=_SOURCE_NAMES[sources],
                reason=reason.sentence,
                stage_scores=dict(zip(TERMS, ranked.shares[place].tolist(), strict=True)) if explain else {},
                because_item_ids=[catalog.item_ids[past] for past in reason.because],
            )
            for place, (item, sources, score, reason) in enumerate(rows)
        ]

    def _indexes(self, item_ids: frozenset[str]) -> Indexes:
        index = self.ranking.catalog.index
        return np.array([index[item_id] for item_id in item_ids if item_id in index], np.int32)

    def _rank_once(self) -> None:
        first = np.arange(min(1, len(self.ranking.catalog)), dtype=np.int32)
        interest = np.zeros(self.ranking.item_embeddings.shape[1], np.float32)
        query = Query(first, np.zeros(len(first), np.int64), interest, now=0)
        candidates = self.rulebook.select(Rules(now=0, excluded=first), self.retriever.retrieve(query), 1)
        self.present(query, [""] * len(first), self.rank(query, candidates, 1), explain=True)


# Source bits -> their names.
_SOURCE_NAMES = [
    [source for bit, source in enumerate(SOURCES) if bits & (1 << bit)] for bits in range(1 << len(SOURCES))
]
