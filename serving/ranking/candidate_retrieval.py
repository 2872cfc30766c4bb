"""Candidate retrieval: all items of a small catalog, else the top items of each source."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.answers import Source
from serving.ranking.candidate_set import Candidates, SourceBits, source_bits
from serving.ranking.nearest_items import NearestItems
from serving.ranking.query import Query
from serving.ranking.sparse_scores import DenseScores, Scores
from serving.ranking.top_k import kth_largest, top_k
from serving.release.arrays import Indexes, distinct
from serving.release.ranking_data import Ranking

# In a catalog of up to this many items, all items are candidates: ranking all of them takes a millisecond.
EXHAUSTIVE_ITEMS: Final = 5_000

# An item with fewer interactions is fresh: it has too few for the filters, so it is scored by its content.
FRESH_INTERACTIONS: Final = 5
# Only this many fresh items, the newest, are scored.
FRESH_ITEMS: Final = 20_000
# The source FRESH returns at most this share of `per_source` items.
FRESH_SHARE: Final = 0.2


class Retriever:
    """Retrieves the best `per_source` items of each source; safe to share between threads."""

    def __init__(self, ranking: Ranking, per_source: int = 500) -> None:
        """Prepare the arrays that every query uses; for a large catalog, open the nearest-neighbour index."""
        filters, catalog = ranking.filters, ranking.catalog
        self._per_source = per_source
        self._exhaustive = len(catalog) <= EXHAUSTIVE_ITEMS
        self._nearest = (
            None
            if self._exhaustive
            else NearestItems(ranking.item_embeddings, ranking.precision, ranking.nearest)
        )
        self._popular = top_k(filters.popularity, per_source)
        self._trending = top_k(filters.trend, per_source)
        rare = np.flatnonzero(filters.popularity < FRESH_INTERACTIONS)
        newest = np.argsort(-catalog.available_from[rare], kind="stable")[:FRESH_ITEMS]
        fresh = rare[newest].astype(np.int32)
        # A score is above 0 only with categories: without any, as in files without items, none is computed.
        self._fresh: Indexes = fresh[np.diff(catalog.content[fresh].indptr) > 0]
        self._fresh_content = catalog.content[self._fresh]
        self._all = np.arange(len(catalog), dtype=np.int32)
        self._weighted = _weighted_sources(ranking.blend)
        self._constant_sources = np.zeros(len(catalog) if self._exhaustive else 0, SourceBits)
        self._is_fresh = np.zeros(len(catalog), np.bool_)
        self._is_fresh[self._fresh] = True
        if self._exhaustive:
            self._constant_sources[self._popular] |= _BITS[Source.POPULARITY]
            self._constant_sources[self._trending] |= _BITS[Source.TREND]

    def retrieve(self, query: Query, requested: int = 0) -> Candidates:
        """Return all items of a small catalog, else the items that any source returns.

        A source whose feature has no weight in the blend is used only if it is `requested` (source bits).
        """
        if self._exhaustive:
            return Candidates(self._all, partial(self._sources_of, query, requested))
        return query.once_by_interest(
            ("candidates", requested), lambda: self._union_of_sources(query, requested)
        )

    def prepare(self, query: Query) -> None:
        """Compute the query's source scores now; does not search a large catalog's nearest items."""
        if self._exhaustive:
            self._sources_of(query, 0, self._all[:1])
        else:
            list(self._filter_scores(query, 0))

    def search_together(self, queries: Sequence[Query]) -> None:
        """Search a large catalog's nearest items for all queries at once; the queries keep them."""
        queries = [query for query in queries if query.interest is not None]
        if self._nearest is not None and queries:
            interests = np.stack([np.asarray(query.interest) for query in queries])
            found = self._nearest.search_all(interests, self._per_source)
            for query, items in zip(queries, found, strict=True):
                query.keep_by_interest("nearest", items)

    def _union_of_sources(self, query: Query, requested: int) -> Candidates:
        by_source = list(self._items_by_source(query, requested))
        items = distinct(np.concatenate([returned for _, returned in by_source]))
        sources = np.zeros(len(items), SourceBits)
        for source, returned in by_source:
            sources[np.searchsorted(items, returned)] |= _BITS[source]
        return Candidates.of(items, sources)

    def _sources_of(self, query: Query, requested: int, items: Indexes) -> NDArray[SourceBits]:
        """Return source bits [n] of a small catalog's `items` [n].

        Compares scores with each source's lower bound, which is faster than computing each source's items.
        """
        sources = self._constant_sources[items]
        if query.interest is not None:
            logits = query.logits()
            bound = query.once_by_interest("bound", lambda: kth_largest(logits, self._per_source, -np.inf))
            sources |= (logits[items] >= bound) * _BITS[Source.INTEREST]
        for source, scores in self._filter_scores(query, requested):
            assert isinstance(scores, DenseScores)
            bound = query.once(("bound", source), partial(kth_largest, scores.sums, self._per_source))
            sources |= (scores.sums[items] >= bound) * _BITS[source]
        if self._is_fresh[items].any():
            sources |= np.isin(items, self._top_fresh(query)) * _BITS[Source.FRESH]
        return sources

    def _items_by_source(self, query: Query, requested: int) -> Iterator[tuple[Source, Indexes]]:
        nearest, interest = self._nearest, query.interest
        if nearest is not None and interest is not None:
            yield (
                Source.INTEREST,
                query.once_by_interest("nearest", lambda: nearest.search(interest, self._per_source)),
            )
        for source, scores in self._filter_scores(query, requested):
            yield source, scores.top_k(self._per_source)
        yield Source.POPULARITY, self._popular
        yield Source.TREND, self._trending
        if len(self._fresh):
            yield Source.FRESH, self._top_fresh(query)

    def _filter_scores(self, query: Query, requested: int) -> Iterator[tuple[Source, Scores]]:
        for source, score in _FILTER_SOURCES.items():
            if source in self._weighted or requested & _BITS[source]:
                scores = score(query)
                if scores is not None:
                    yield source, scores

    def _top_fresh(self, query: Query) -> Indexes:
        count = max(1, int(FRESH_SHARE * self._per_source))
        return self._fresh[top_k(self._fresh_content @ query.content_profile(), count)]


_FILTER_SOURCES: Final[Mapping[Source, Callable[[Query], Scores | None]]] = {
    Source.TRANSITIONS: lambda query: query.transitions()[0],
    Source.ITEM_COSINE: Query.item_cosine,
    Source.USER_COSINE: Query.user_cosine,
    Source.EASE: Query.ease,
    Source.SEQUENCE_KNN: Query.sequence_knn,
    Source.SEARCH: Query.search_matches,
}

_BITS: Final = {
    source: source_bits((source,))
    for source in (*_FILTER_SOURCES, Source.INTEREST, Source.POPULARITY, Source.TREND, Source.FRESH)
}


def _weighted_sources(blend: Mapping[str, Any]) -> frozenset[Source]:
    """Return the filters with a weight in the blend, all of them before there is a blend, and searches."""
    weights = dict(zip(blend.get("features", ()), blend.get("weights", ()), strict=False))
    weighted = {source for source in _FILTER_SOURCES if not weights or weights.get(source)}
    return frozenset({*weighted, Source.SEARCH})
