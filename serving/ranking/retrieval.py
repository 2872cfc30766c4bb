"""Candidates: which items are worth reranking, and which sources named them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.answers import Source
from serving.ranking import signals
from serving.ranking.nearest_items import NearestItems
from serving.ranking.signals import Query
from serving.ranking.sparse_scores import DenseScores, SparseScores, kth_largest, top_k
from serving.release.arrays import FloatArray, Indexes
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.ranking_data import Ranking

__all__ = ["EXHAUSTIVE_ITEMS", "SOURCES", "Candidates", "Query", "Retriever"]

# Bit b of a candidate's `sources` is set when SOURCES[b] named it.
SOURCES: Final = (
    Source.INTEREST,
    Source.TRANSITIONS,
    Source.ITEM_COSINE,
    Source.USER_COSINE,
    Source.EASE,
    Source.SEQUENCE_KNN,
    Source.POPULARITY,
    Source.TREND,
    Source.FRESH,
    Source.FOLLOWED,  # what the users one follows had: not asked here, but of the request's scenario
)
SourceBits = np.uint16

# Up to here every item is a candidate, named or not: the answer is the true full ranking, in a millisecond.
EXHAUSTIVE_ITEMS: Final = 5_000

# An item with fewer interactions is fresh: the filters know too little of it, its content speaks. Of these
# the newest are looked at, and a part of what another source may name is named.
FRESH_INTERACTIONS: Final = 5
FRESH_ITEMS: Final = 20_000
FRESH_SHARE: Final = 0.2


# Of items [n] what names them, [n]: bit b is set when SOURCES[b] does.
Naming = Callable[[Indexes], NDArray[SourceBits]]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Distinct items in index order; who named them is worked out when it is asked, for most never are."""

    items: Indexes  # [m]
    naming: Naming

    @classmethod
    def of(cls, items: Indexes, sources: NDArray[SourceBits]) -> "Candidates":
        """`sources` [m]; another item was named by none."""

        def naming(asked: Indexes) -> NDArray[SourceBits]:
            if not len(items):
                return np.zeros(len(asked), SourceBits)
            places = np.minimum(np.searchsorted(items, asked), len(items) - 1)
            return np.where(items[places] == asked, sources[places], SourceBits(0))

        return cls(items, naming)

    @property
    def sources(self) -> NDArray[SourceBits]:
        """[m] of each item."""
        return self.naming(self.items)


class Retriever:
    """Asks each source for its best `per_source` items; safe to share between threads."""

    def __init__(self, ranking: Ranking, per_source: int = 500) -> None:
        filters, catalog = ranking.filters, ranking.catalog
        self._ranking, self._per_source = ranking, per_source
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
        self._fresh = rare[newest].astype(np.int32)
        self._fresh_content = catalog.content[self._fresh]
        self._all = np.arange(len(catalog), dtype=np.int32)
        self._weighed = _weighed(ranking.blend)
        # What is the same for every query.
        self._always = np.zeros(len(catalog) if self._exhaustive else 0, SourceBits)
        self._is_fresh = np.zeros(len(catalog), np.bool_)
        self._is_fresh[self._fresh] = True
        if self._exhaustive:
            self._always[self._popular] |= _bit(Source.POPULARITY)
            self._always[self._trending] |= _bit(Source.TREND)

    def retrieve(self, query: Query, wanted: int = 0) -> Candidates:
        """Every item of a small catalog, else what any source names.

        A source whose votes weigh nothing in the blend is asked only if it is `wanted` (bits of SOURCES).
        """
        if self._exhaustive:
            return Candidates(self._all, partial(self._sources, query, wanted))
        named = "candidates" if query.interest is None else "candidates by interest too"
        return query.once(f"{named} {wanted}", self, lambda: self._candidates(query, wanted))

    def prepare(self, query: Query) -> None:
        """Ask each source now, and keep what it says; of a large catalog's nearest items nothing is asked."""
        if self._exhaustive:
            self._sources(query, 0, self._all[:1])
        else:
            list(self._votes(query, 0))

    def _candidates(self, query: Query, wanted: int) -> Candidates:
        named = list(self._named(query, wanted))
        items = np.unique(np.concatenate([found for _, found in named]))
        sources = np.zeros(len(items), SourceBits)
        for source, found in named:
            sources[np.searchsorted(items, found)] |= _bit(source)
        return Candidates.of(items, sources)

    def _sources(self, query: Query, wanted: int, items: Indexes) -> NDArray[SourceBits]:
        """[n] of a small catalog's `items` [n]: by each source's bound, faster than finding whom it names."""
        sources = self._always[items]
        for source, scores, above in self._scores(query, wanted):
            least = query.once(
                f"least of {source}", self, partial(kth_largest, scores, self._per_source, above)
            )
            sources |= (scores[items] >= least) * _bit(source)
        if self._is_fresh[items].any():
            sources |= np.isin(items, self._freshest(query)) * _bit(Source.FRESH)
        return sources

    def _scores(self, query: Query, wanted: int) -> Iterator[tuple[Source, FloatArray, float]]:
        """Of a small catalog each source's [items], and what names an item only above it."""
        if query.interest is not None:
            yield Source.INTEREST, signals.logits(self._ranking, query), -np.inf
        for source, votes in self._votes(query, wanted):
            assert isinstance(votes, DenseScores)
            yield source, votes.sums, 0.0

    def _named(self, query: Query, wanted: int) -> Iterator[tuple[Source, Indexes]]:
        if query.interest is not None and self._nearest is not None:
            yield Source.INTEREST, self._nearest.search(query.interest, self._per_source)
        for source, votes in self._votes(query, wanted):
            yield source, votes.top_k(self._per_source)
        yield Source.POPULARITY, self._popular
        yield Source.TREND, self._trending
        if len(self._fresh):
            yield Source.FRESH, self._freshest(query)

    def _votes(self, query: Query, wanted: int) -> Iterator[tuple[Source, SparseScores | DenseScores]]:
        filters = self._ranking.filters
        for source, ask in _VOTING.items():
            if source in self._weighed or wanted & (1 << _ROW[source]):
                votes = ask(filters, query)
                if votes is not None:
                    yield source, votes

    def _freshest(self, query: Query) -> Indexes:
        profile = signals.content_profile(self._ranking.catalog.content, query)
        count = max(1, int(FRESH_SHARE * self._per_source))
        return self._fresh[top_k(self._fresh_content @ profile, count)]


# Source -> its bit's place.
_ROW: Final = {source: place for place, source in enumerate(SOURCES)}

_VOTING: Final[
    Mapping[Source, Callable[[CollaborativeFilters, Query], SparseScores | DenseScores | None]]
] = {
    Source.TRANSITIONS: lambda filters, query: signals.transitions(filters, query)[0],
    Source.ITEM_COSINE: signals.item_cosine,
    Source.USER_COSINE: signals.user_cosine,
    Source.EASE: signals.ease,
    Source.SEQUENCE_KNN: signals.sequence_knn,
}


def _weighed(blend: Mapping[str, Any]) -> frozenset[Source]:
    """The sources whose votes decide something; all of them before there is a blend."""
    weights = dict(zip(blend.get("features", ()), blend.get("weights", ()), strict=False))
    return frozenset(source for source in _VOTING if not weights or weights.get(source))


def _bit(source: Source) -> SourceBits:
    return SourceBits(1 << _ROW[source])
