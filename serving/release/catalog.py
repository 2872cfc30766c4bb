"""The items of a release."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

FOREVER = np.iinfo(np.int64).max


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
        columns = [[index[category] for category in dict.fromkeys(row)] for row in self.categories]
        lengths = np.fromiter(map(len, columns), np.int64, len(columns))
        indices = np.fromiter((column for row in columns for column in row), np.int32, lengths.sum())
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
            item_ids=column("item_id").to_pylist(),
            titles=[title or "" for title in column("title").to_pylist()],
            categories=[categories or [] for categories in column("categories").to_pylist()],
            domains=[domain or "" for domain in column("domain").to_pylist()],
            available_from=_microseconds(column("available_from"), 0),
            available_until=_microseconds(column("available_until"), FOREVER),
        )


def _microseconds(column: pa.ChunkedArray, missing: int) -> NDArray[np.int64]:
    """Convert timestamps; without `fill_null`, because creating an Arrow scalar imports pandas (41 MB)."""
    values = column.cast(pa.int64()).to_pylist()
    return np.fromiter((missing if value is None else value for value in values), np.int64, len(values))
