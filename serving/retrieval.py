"""Candidates: which items are worth reranking, and which sources named them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving import signals
from serving.nearest import NearestItems
from serving.release import Ranking
from serving.signals import Indexes, Query, Votes, among_strongest, strongest

__all__ = ["EXHAUSTIVE_ITEMS", "SOURCES", "Candidates", "Query", "Retriever"]

# Bit b of a candidate's `sources` is set when SOURCES[b] named it.
SOURCES: Final = (
    "interest",
    "transitions",
    "item_cosine",
    "user_cosine",
    "ease",
    "popularity",
    "trend",
    "fresh",
    "followed",  # what the users one follows had: not asked here, but of the request's scenario
)
SourceBits = np.uint16

# Up to here every item is a candidate, named or not: the answer is the true full ranking, in a millisecond.
EXHAUSTIVE_ITEMS: Final = 5_000

# An item with fewer interactions is fresh: the filters know too little of it, its content speaks. Of these
# the newest are looked at, and a part of what another source may name is named.
FRESH_INTERACTIONS: Final = 5
FRESH_ITEMS: Final = 20_000
FRESH_SHARE: Final = 0.2


@dataclass(frozen=True, eq=False)
class Candidates:
    """Distinct items in index order; bit b of `sources` says that SOURCES[b] named the item."""

    items: Indexes  # [m]
    sources: NDArray[SourceBits]  # [m]


class Retriever:
    """Asks each source for its best `per_source` items; safe to share between threads."""

    def __init__(self, ranking: Ranking, per_source: int = 500) -> None:
        filters, catalog = ranking.filters, ranking.catalog
        self._ranking, self._per_source = ranking, per_source
        self._exhaustive = len(catalog) <= EXHAUSTIVE_ITEMS
        self._nearest = None if self._exhaustive else NearestItems(ranking.item_embeddings, ranking.nearest)
        self._popular = strongest(filters.popularity, per_source)
        self._trending = strongest(filters.trend, per_source)
        rare = np.flatnonzero(filters.popularity < FRESH_INTERACTIONS)
        newest = np.argsort(-catalog.available_from[rare], kind="stable")[:FRESH_ITEMS]
        self._fresh = rare[newest].astype(np.int32)
        self._fresh_content = catalog.content[self._fresh]
        self._all = np.arange(len(catalog), dtype=np.int32)
        # What is the same for every query.
        self._always = np.zeros(len(catalog) if self._exhaustive else 0, SourceBits)
        if self._exhaustive:
            self._always[self._popular] |= _bit("popularity")
            self._always[self._trending] |= _bit("trend")

    def retrieve(self, query: Query) -> Candidates:
        """Every item of a small catalog, else what any source names."""
        if self._exhaustive:
            return Candidates(self._all, self._sources(query))
        named = list(self._named(query))
        items = np.unique(np.concatenate([found for _, found in named]))
        sources = np.zeros(len(items), SourceBits)
        for source, found in named:
            sources[np.searchsorted(items, found)] |= _bit(source)
        return Candidates(items, sources)

    def _sources(self, query: Query) -> NDArray[SourceBits]:
        """[items] of a small catalog: by each source's bound, which takes half the time of finding places."""
        sources = self._always.copy()
        if query.interest is not None:
            logits = signals.logits(self._ranking, query)
            sources |= among_strongest(logits, self._per_source, -np.inf) * _bit("interest")
        for source, votes in self._votes(query):
            sources |= among_strongest(votes.sums, self._per_source) * _bit(source)
        if len(self._fresh):
            sources[self._freshest(query)] |= _bit("fresh")
        return sources

    def _named(self, query: Query) -> Iterator[tuple[str, Indexes]]:
        if query.interest is not None and self._nearest is not None:
            yield "interest", self._nearest.search(query.interest, self._per_source)
        for source, votes in self._votes(query):
            yield source, votes.strongest(self._per_source)
        yield "popularity", self._popular
        yield "trend", self._trending
        yield "fresh", self._freshest(query)

    def _votes(self, query: Query) -> Iterator[tuple[str, Votes]]:
        filters = self._ranking.filters
        yield "transitions", signals.transitions(filters, query)[0]
        yield "item_cosine", signals.item_cosine(filters, query)
        yield "user_cosine", signals.user_cosine(filters, query)
        if (ease := signals.ease(filters, query)) is not None:
            yield "ease", ease

    def _freshest(self, query: Query) -> Indexes:
        profile = signals.content_profile(self._ranking.catalog.content, query)
        count = max(1, int(FRESH_SHARE * self._per_source))
        return self._fresh[strongest(self._fresh_content @ profile, count)]


def _bit(source: str) -> SourceBits:
    return SourceBits(1 << SOURCES.index(source))
