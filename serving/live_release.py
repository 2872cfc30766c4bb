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
from serving.retrieval import SOURCES, Candidates, Query, Retriever
from serving.rules import Rulebook, Rules
from serving.signals import Indexes, strongest

# Where no time is left to retrieve, the most trending items are the candidates.
_TRENDING = 2_000


@dataclass(frozen=True, eq=False)
class Recognized:
    """The interactions of a history whose items the catalog knows, oldest first."""

    items: Indexes  # [h]
    timestamps: NDArray[np.int64]  # [h] µs since the epoch
    event_types: list[str]  # [h]


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
        self.reasons = Reasons(ranking, self.reranker)
        # Where people come back to the same items, the evaluation found that answers should too.
        self._keeps_seen = ranking.manifest.get("seen_items") == "keep"
        trending = np.sort(strongest(ranking.filters.trend, _TRENDING))
        self.trending = Candidates(trending, np.full(len(trending), 1 << SOURCES.index("trend"), np.uint8))
        self._rank_once()

    def recognize(self, history: History) -> Recognized:
        """What the catalog knows of a history."""
        index = self.ranking.catalog.index
        rows = [
            (index[item], timestamp, event_type)
            for item, timestamp, event_type in zip(
                history.item_ids, history.timestamps, history.event_types, strict=True
            )
            if item in index
        ]
        items, timestamps, event_types = zip(*rows, strict=True) if rows else ((), (), ())
        return Recognized(np.array(items, np.int32), np.array(timestamps, np.int64), list(event_types))

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

    def present(
        self,
        query: Query,
        event_types: Sequence[str],
        candidates: Candidates,
        scores: FloatArray,
        chosen: NDArray[np.intp],
        explain: bool,
    ) -> list[Recommendation]:
        """The chosen candidates with titles, sources and reasons; with `explain`, with each term's share."""
        catalog, items = self.ranking.catalog, candidates.items[chosen]
        reasons = self.reasons.of(query, event_types, items)
        shares = self.reranker.contributions(query, candidates.items)[chosen] if explain else None
        return [
            Recommendation(
                item_id=catalog.item_ids[item],
                title=catalog.titles[item],
                categories=catalog.categories[item],
                score=float(scores[chosen[place]]),
                sources=_SOURCE_NAMES[candidates.sources[chosen[place]]],
                reason=reasons[place].sentence,
                stage_scores={} if shares is None else dict(zip(TERMS, shares[place].tolist(), strict=True)),
                because_item_ids=[catalog.item_ids[past] for past in reasons[place].because]
                if explain
                else [],
            )
            for place, item in enumerate(items.tolist())
        ]

    def _indexes(self, item_ids: frozenset[str]) -> Indexes:
        index = self.ranking.catalog.index
        return np.array([index[item_id] for item_id in item_ids if item_id in index], np.int32)

    def _rank_once(self) -> None:
        first = np.arange(min(1, len(self.ranking.catalog)), dtype=np.int32)
        interest = np.zeros(self.ranking.item_embeddings.shape[1], np.float32)
        query = Query(first, np.zeros(len(first), np.int64), interest, now=0)
        candidates = self.rulebook.select(Rules(now=0, excluded=first), self.retriever.retrieve(query), 1)
        self.present(
            query,
            [""] * len(first),
            candidates,
            self.reranker.scores(query, candidates.items),
            np.arange(min(1, len(candidates.items))),
            explain=True,
        )


# Source bits -> their names.
_SOURCE_NAMES = [
    [source for bit, source in enumerate(SOURCES) if bits & (1 << bit)] for bits in range(1 << len(SOURCES))
]
