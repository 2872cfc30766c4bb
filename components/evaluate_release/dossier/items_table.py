"""The items of a version, with their number of interactions."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from serving.release.catalog import Catalog

CATEGORIES: Final = 3  # shown of an item


@dataclass(frozen=True)
class ItemsTable:
    """One row per item of the catalog: item_id, title, categories (text), interactions."""

    table: pa.Table

    @classmethod
    def of(cls, catalog: Catalog, interactions: NDArray[np.int64]) -> "ItemsTable":
        titles = [title or item_id for title, item_id in zip(catalog.titles, catalog.item_ids, strict=True)]
        categories = [", ".join(names[:CATEGORIES]) for names in catalog.categories]
        columns = {
            "item_id": pa.array(catalog.item_ids, pa.string()),
            "title": pa.array(titles, pa.string()),
            "categories": pa.array(categories, pa.string()),
            "interactions": pa.array(interactions),
        }
        return cls(pa.table(columns))

    @cached_property
    def interactions(self) -> NDArray[np.int64]:
        """[items]"""
        return np.asarray(self.table["interactions"].to_numpy())

    def item_id(self, index: int) -> str:
        return str(self.table["item_id"][int(index)].as_py())

    def title(self, index: int) -> str:
        return str(self.table["title"][int(index)].as_py())

    def categories(self, index: int) -> str:
        return str(self.table["categories"][int(index)].as_py())

    def index(self, item_id: str) -> int:
        return int(pc.index(self.table["item_id"], item_id).as_py())

    def rows_of(self, other: "ItemsTable") -> NDArray[np.int32]:
        """Return [other's items + 1] the row in this table of each item of another one, -1 for none.

        The additional last entry maps -1 to -1.
        """
        ids = pa.chunked_array([*other.table["item_id"].chunks, pa.nulls(1, pa.string())])
        rows = pc.fill_null(pc.index_in(ids, self.table["item_id"].combine_chunks()), -1)
        return np.asarray(rows.to_numpy(), np.int32)
