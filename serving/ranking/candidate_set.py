"""Candidate items and the sources that returned them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.answers import Source
from serving.release.arrays import Indexes, distinct

# Bit b of an item's source bits is set when SOURCES[b] returned the item.
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
    Source.FOLLOWED,  # items of followed users, which the request adds
    Source.SEARCH,
)
SourceBits = np.uint16

# Item indexes [n] -> their source bits [n].
SourcesOf = Callable[[Indexes], NDArray[SourceBits]]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Distinct items in index order, and a function that returns sources, because few items need them."""

    items: Indexes  # [m]
    sources_of: SourcesOf

    @classmethod
    def of(cls, items: Indexes, sources: NDArray[SourceBits]) -> "Candidates":
        """Build from items [m] and their source bits [m]; any other item has none."""

        def sources_of(queried: Indexes) -> NDArray[SourceBits]:
            if not len(items):
                return np.zeros(len(queried), SourceBits)
            positions = np.minimum(np.searchsorted(items, queried), len(items) - 1)
            return np.where(items[positions] == queried, sources[positions], SourceBits(0))

        return cls(items, sources_of)

    @property
    def sources(self) -> NDArray[SourceBits]:
        """[m] source bits of each item."""
        return self.sources_of(self.items)

    def union(self, items: Indexes, source: Source | None = None) -> "Candidates":
        """Return the candidates and `items`; with `source`, its bit is set for `items`."""
        union = distinct(np.concatenate([self.items, items]).astype(np.int32))
        if source is None:
            return Candidates(union, self.sources_of)
        bit = source_bits((source,))
        return Candidates(union, lambda queried: self.sources_of(queried) | np.isin(queried, items) * bit)

    def returned_by(self, sources: int) -> "Candidates":
        """Return the items of some sources only, with no other source's bit; `sources`: source bits."""
        bits = SourceBits(sources)
        has_source = (self.sources & bits) > 0
        return Candidates(self.items[has_source], lambda queried: self.sources_of(queried) & bits)


def source_bits(sources: Iterable[Source]) -> SourceBits:
    """Return the source bits of some of SOURCES."""
    return SourceBits(sum(1 << SOURCES.index(source) for source in sources))
