"""The catalog of a release."""

from typing import Any

import pyarrow as pa

from feature_repo.table_schemas import ITEMS
from serving.release.catalog import Catalog


class Column:
    """A column that notes how many rows are converted at once."""

    longest = 0

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column = column

    def slice(self, start: int, rows: int) -> "Column":
        return Column(self._column.slice(start, rows))

    def cast(self, to: pa.DataType) -> "Column":
        return Column(self._column.cast(to))

    def to_pylist(self) -> list[Any]:
        Column.longest = max(Column.longest, len(self._column))
        values: list[Any] = self._column.to_pylist()
        return values

    def __len__(self) -> int:
        return len(self._column)


def test_a_large_catalog_is_converted_in_parts_so_that_answers_go_on() -> None:
    names = [f"i{n}" for n in range(5_000)]
    rows = [
        {**dict.fromkeys(ITEMS.names), "item_id": name, "categories": [name[-1:], "all"]} for name in names
    ]
    items = pa.Table.from_pylist(rows, schema=pa.schema([(field.name, field.type) for field in ITEMS]))

    class Items:
        def column(self, name: str) -> Column:
            return Column(items.column(name))

    catalog = Catalog.from_items(Items())
    assert catalog.item_ids == names
    assert (catalog.titles[-1], catalog.categories[-1]) == ("", ["9", "all"])
    assert catalog.content.shape == (5_000, 11)
    assert 0 < Column.longest <= 1_000
