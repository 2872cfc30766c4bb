"""Where the feature expressions are computed; the one place to name another Ibis backend."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ibis
import ibis.expr.types as ir

from components.errors import StepError

# Beyond it DuckDB spills to disk, so a step stays within a modest machine or pod.
MEMORY_LIMIT = "4GB"


@contextmanager
def connect() -> Iterator[ibis.BaseBackend]:
    """DuckDB in memory; for Spark `ibis.pyspark.connect(session)`: every expression compiles for both."""
    with tempfile.TemporaryDirectory(prefix="penchant-features-") as spill:
        backend = ibis.duckdb.connect(memory_limit=MEMORY_LIMIT, temp_directory=spill)
        # Every table that is written states its order, so the scan's own needn't be kept in memory.
        backend.raw_sql("SET preserve_insertion_order = false")
        backend.raw_sql("SET TimeZone = 'UTC'")
        try:
            yield backend
        finally:
            backend.disconnect()


def read(backend: ibis.BaseBackend, file: Path, name: str) -> ir.Table:
    """The table of one Parquet file.

    Raises:
        StepError: it is missing or no Parquet.
    """
    try:
        return backend.read_parquet(file)
    except Exception as error:
        raise StepError(
            f"{name}: expected a readable Parquet file at {file} ({str(error).splitlines()[0]}); "
            f"run the step that writes it again"
        ) from error
