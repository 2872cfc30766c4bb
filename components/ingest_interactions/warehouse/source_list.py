"""Lists the sources of the warehouse."""

from dataclasses import dataclass
from typing import Any

from duckdb import DuckDBPyConnection

from components.ingest_interactions.duckdb_session import connect
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.parts import Part, Retraction


@dataclass(frozen=True)
class SourceTable:
    """One table of a source; times are µs since the epoch, None or 0 for unknown ones."""

    source: str
    table: str
    rows: int
    first: int | None
    last: int | None
    ingested_at: int
    parts: int
    location: str
    options: dict[str, Any]  # as in Part


def list_sources(warehouse: str) -> tuple[list[SourceTable], list[Retraction]]:
    """Return the tables of all sources, in the order of ingestion, and the retractions."""
    store = Warehouse(warehouse)
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in store.listed():
        groups.setdefault((part.source, part.table), []).append(part)
    with connect(store.filesystem) as connection:
        tables = [_describe(connection, store, parts) for parts in groups.values()]
    return tables, store.watermarks.retractions


def _describe(connection: DuckDBPyConnection, store: Warehouse, parts: list[Part]) -> SourceTable:
    newest, first, last = parts[-1], None, None
    if newest.table == "interactions":
        query = f'SELECT min("timestamp"), max("timestamp") FROM {store.scan(parts)}'
        ((first, last),) = connection.execute(query).fetchall()
    rows = sum(part.rows for part in parts)
    return SourceTable(
        newest.source,
        newest.table,
        rows,
        first,
        last,
        newest.ingested_at,
        len(parts),
        newest.location,
        newest.options,
    )
