"""A DuckDB connection that counts in UTC and reaches whatever file system the warehouse is on."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from components.errors import StepError


@contextmanager
def connect(*filesystems: AbstractFileSystem) -> Iterator[DuckDBPyConnection]:
    """An in-memory database; what doesn't fit spills to a temporary directory that goes with it.

    Raises:
        StepError: the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="penchant-") as spill:
        # Nothing is fetched at run time: the extensions used are inside the wheel.
        config: dict[str, Any] = {"temp_directory": spill, "autoinstall_known_extensions": "false"}
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
                    "the disk is full: free some space and run again; what was ingested before is untouched"
                ) from error


def quote(identifier: str) -> str:
    """An SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


def paths(urls: list[str]) -> str:
    """An SQL list of strings."""
    return "[" + ", ".join(literal(url) for url in urls) + "]"
