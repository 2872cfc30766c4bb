"""The Ibis backend that computes the features; replace it here to use another one."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ibis
import ibis.expr.types as ir

from components.errors import StepError
from feature_repo.filesystems import without_wildcards

# DuckDB spills to disk above this limit, so that the step fits a small machine or pod.
MEMORY_LIMIT = "4GB"


@contextmanager
def connect() -> Iterator[ibis.BaseBackend]:
    """Yield DuckDB in memory. All expressions compile for Spark too: `ibis.pyspark.connect(session)`."""
    with tempfile.TemporaryDirectory(prefix="penchant-features-") as spill:
        backend = ibis.duckdb.connect(memory_limit=MEMORY_LIMIT, temp_directory=spill)
        # Every written table has an ORDER BY, so DuckDB needn't buffer rows to keep the order of a scan.
        backend.raw_sql("SET preserve_insertion_order = false")
        backend.raw_sql("SET TimeZone = 'UTC'")
        try:
            yield backend
        finally:
            backend.disconnect()


def read(backend: ibis.BaseBackend, file: Path, name: str) -> ir.Table:
    """Return the table in a Parquet file.

    Raises:
        StepError: the file is missing or not Parquet.
    """
    try:
        return backend.read_parquet(without_wildcards(file))
    except Exception as error:
        raise StepError(
            f"{name}: expected a readable Parquet file at {file} ({str(error).splitlines()[0]}); "
            "run the step that writes it again"
        ) from error
