"""The items of a release."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

FOREVER = np.iinfo(np.int64).max

# Rows that are converted at once.
_ROWS: Final = 1_000


@dataclass(frozen=True)
class Catalog:
    """All items of a release, as parallel lists; an item's position is its index in every other array."""

    item_ids: list[str]
    titles: list[str]
    categories: list[list[str]]
    domains: list[str]
    available_from: NDArray[np.int64]  # [items] µs since the epoch
    available_until: NDArray[np.int64]  # [items] µs since the epoch, FOREVER when there is no end

    @cached_property
    def index(self) -> dict[str, int]:
        """Item id -> index."""
        return {item_id: position for position, item_id in enumerate(self.item_ids)}

    @cached_property
    def category_index(self) -> dict[str, int]:
        """Category -> column of `content`."""
        distinct = dict.fromkeys(category for categories in self.categories for category in categories)
        return {category: column for column, category in enumerate(distinct)}

    @cached_property
    def content(self) -> csr_array:
        """[items, distinct categories] float32, rows of unit length, or of zeros for an item without any."""
        index = self.category_index
        # Without a list per item: garbage collection would look through all of them, again and again.
        lengths = np.fromiter((len(dict.fromkeys(row)) for row in self.categories), np.int64, len(self))
        columns = (index[category] for row in self.categories for category in dict.fromkeys(row))
        indices = np.fromiter(columns, np.int32, lengths.sum())
        values = np.repeat(1 / np.sqrt(np.maximum(lengths, 1)), lengths).astype(np.float32)
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        return csr_array((values, indices, indptr), shape=(len(self), max(1, len(index))))

    def __len__(self) -> int:
        return len(self.item_ids)

    @classmethod
    def from_items(cls, items: pa.Table) -> "Catalog":
        """Build from a table with the contract's item columns, in row order."""
        column = items.column
        return cls(
            item_ids=list(values(column("item_id"))),
            titles=[title or "" for title in values(column("title"))],
            categories=[categories or [] for categories in values(column("categories"))],
            domains=[domain or "" for domain in values(column("domain"))],
            available_from=_microseconds(column("available_from"), 0),
            available_until=_microseconds(column("available_until"), FOREVER),
        )


def _microseconds(column: pa.ChunkedArray, missing: int) -> NDArray[np.int64]:
    """Convert timestamps; without `fill_null`, because creating an Arrow scalar imports pandas (41 MB)."""
    times = values(column.cast(pa.int64()))
    return np.fromiter((missing if time is None else time for time in times), np.int64, len(column))


def values(column: pa.ChunkedArray) -> Iterator[Any]:
    """Yield the values of a column.

    `to_pylist` keeps the interpreter until all rows are converted: with 300,000 items, the event loop of a
    recommender that loads a release stood still for a second.
    """
    for start in range(0, len(column), _ROWS):
        yield from column.slice(start, _ROWS).to_pylist()
