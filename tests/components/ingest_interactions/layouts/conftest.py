"""Reads a made-up file in the real form of a public data set or an export."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from duckdb import DuckDBPyConnection

from components.ingest_interactions.columns.mapped_table import MappedTable
from components.ingest_interactions.columns.schema_conformance import conform
from components.ingest_interactions.reading import COLUMNS_FIELD, reading_of
from components.ingest_interactions.source_table import open_source

FILES = Path(__file__).with_name("files")


@dataclass
class ReadFile:
    """A file as it is understood: its mapping, and its rows with the contract's columns."""

    mapped: MappedTable
    rows: list[dict[str, Any]]

    @property
    def layout(self) -> str:
        assert self.mapped.mapping.layout is not None
        return self.mapped.mapping.layout.name

    @property
    def event_types(self) -> Counter[str]:
        return Counter(row["event_type"] for row in self.rows)

    def first(self, *columns: str) -> tuple[Any, ...]:
        return tuple(self.rows[0][column] for column in columns)

    def find(self, **values: Any) -> list[dict[str, Any]]:
        return [row for row in self.rows if all(row[name] == value for name, value in values.items())]


Read = Callable[..., ReadFile]


@pytest.fixture
def read(connection: DuckDBPyConnection) -> Read:
    """`read(name, table)` reads a file of `files/`, or one at a path."""

    def call(name: str | Path, table: str = "interactions", given: dict[str, str] | None = None) -> ReadFile:
        url, options = str(FILES / name), {COLUMNS_FIELD[table]: given or {}}
        _, mapped = open_source(connection, table, url, reading_of(url, table, options))
        rows = connection.sql(conform(connection, mapped)).order(f"source_row, {mapped_key(table)}")
        return ReadFile(mapped, rows.to_arrow_table().to_pylist())

    return call


def mapped_key(table: str) -> str:
    return {"interactions": "item_id, event_type", "items": "item_id", "users": "user_id"}[table]
