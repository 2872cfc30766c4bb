"""DuckDB connections with the time zone UTC and access to the warehouse's file system."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from components.errors import StepError
from components.memory import duckdb_memory_limit
from feature_repo.filesystems import without_wildcards


@contextmanager
def connect(*filesystems: AbstractFileSystem) -> Iterator[DuckDBPyConnection]:
    """Yield an in-memory database that spills to a temporary directory, and close it.

    Raises:
        StepError: the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="penchant-") as spill:
        # DuckDB must not download extensions; those in use are part of the wheel.
        config: dict[str, Any] = {
            "temp_directory": spill,
            "memory_limit": duckdb_memory_limit(),
            "autoinstall_known_extensions": "false",
        }
        with duckdb.connect(config=config) as connection:
            connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
            for filesystem in {
                f.protocol[0]: f for f in filesystems if not isinstance(f, LocalFileSystem)
            }.values():
                connection.register_filesystem(filesystem)
            try:
                yield connection
            except (OSError, duckdb.Error) as error:
                if "No space left on device" not in str(error):
                    raise
                raise StepError(
                    "the disk is full: free some space and run again; the warehouse is unchanged"
                ) from error


def quote(identifier: str) -> str:
    """Return an SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def finite(number: str) -> str:
    """Return SQL for a FLOAT or DOUBLE, NULL for NaN and infinity.

    isnan must not be used: DuckDB 2.0 answers it by the statistics of a Parquet file, which leave out NaN.
    """
    return f"CASE WHEN isfinite({number}) THEN {number} END"


def finite_vector(vector: str) -> str:
    """Return SQL for a list of FLOATs, NULL for one that has a NaN, an infinity or a missing number."""
    all_finite = f"list_bool_and(list_transform({vector}, lambda x: coalesce(isfinite(x), false)))"
    return f"CASE WHEN {all_finite} THEN {vector} END"


def file_list(urls: Iterable[str | Path]) -> str:
    """Return an SQL list of files to read; no character of a path is a wildcard."""
    return "[" + ", ".join(literal(without_wildcards(url)) for url in urls) + "]"
