"""Reads Parquet, Arrow and ORC files, with the types of their columns."""

from pathlib import Path
from typing import Final

import pyarrow.dataset as pads
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection

from components.ingest_interactions.duckdb_session import file_list, quote

PANDAS_INDEX: Final = "__index_level_"


def parquet(paths: list[Path], partitions: list[str]) -> str:
    """Return a scan of Parquet files; a column that a file lacks is null there."""
    return (
        f"read_parquet({file_list(paths)}, union_by_name = {len(paths) > 1}, "
        f"hive_partitioning = {bool(partitions)}, hive_types_autocast = false"
    )


def names(path: Path) -> set[str]:
    """Return the columns of a Parquet file."""
    return set(pq.read_schema(path).names)


def register(connection: DuckDBPyConnection, path: Path, kind: str, view: str) -> int:
    """Register an Arrow or ORC file as a view; return the number of its rows."""
    dataset = pads.dataset(str(path), format={"Arrow": "ipc", "ORC": "orc"}[kind])
    connection.register(view, dataset)
    return int(dataset.count_rows())


def text_of_binary(connection: DuckDBPyConnection, scan: str) -> dict[str, str]:
    """Return column -> expression for the BLOB columns that hold UTF-8 text, as old writers leave them."""
    columns = connection.sql(f"SELECT * FROM {scan}")
    blobs = [
        column for column, kind in zip(columns.columns, columns.types, strict=True) if str(kind) == "BLOB"
    ]
    if not blobs:
        return {}
    checks = ", ".join(
        f"bool_and({quote(column)} IS NULL OR TRY(decode({quote(column)})) IS NOT NULL)" for column in blobs
    )
    text = connection.execute(f"SELECT {checks} FROM {scan}").fetchall()[0]
    return {
        column: f"decode({quote(column)})" for column, is_text in zip(blobs, text, strict=True) if is_text
    }
