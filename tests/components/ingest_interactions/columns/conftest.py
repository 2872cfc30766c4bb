"""Maps and converts small tables without a warehouse."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from duckdb import DuckDBPyConnection

from components.ingest_interactions.columns.mapped_table import MappedTable, map_table
from components.ingest_interactions.columns.schema_conformance import conform

MapTable = Callable[..., MappedTable]
Conform = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def mapped(connection: DuckDBPyConnection) -> MapTable:
    """`mapped(columns, table, name, given)` maps a table of columns."""

    def call(
        columns: dict[str, Any],
        table: str = "interactions",
        name: str = "log.csv",
        given: dict[str, str] | None = None,
    ) -> MappedTable:
        rows = pa.table({"source_row": list(range(1, len(next(iter(columns.values()))) + 1)), **columns})
        return map_table(connection.from_arrow(rows), table, name, given)

    return call


@pytest.fixture
def conformed(connection: DuckDBPyConnection, mapped: MapTable) -> Conform:
    """`conformed(columns, …)` maps and converts a table, and returns its rows, in order."""

    def call(*args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        table = connection.sql(conform(connection, mapped(*args, **kwargs)))
        rows: list[dict[str, Any]] = (
            table.order("source_row, item_id" if "item_id" in table.columns else "source_row")
            .to_arrow_table()
            .to_pylist()
        )
        return rows

    return call
