"""Runs Ibis expressions on DuckDB in this process, or on Spark, and fetches their results as Arrow."""

import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from components.compute.address import Compute
from components.compute.spark_session import spark_session
from components.errors import StepError
from components.memory import duckdb_memory_limit
from feature_repo.filesystems import locate, without_wildcards


@dataclass(frozen=True)
class Engine:
    """An Ibis backend, and a folder that all its processes can read."""

    backend: ibis.BaseBackend
    scratch: str  # directory or fsspec URL; it is deleted at the end
    is_cluster: bool

    def read(self, file: Path, name: str) -> ir.Table:
        """Return the table in a Parquet file of this machine; for a cluster it is copied to `scratch`.

        Raises:
            StepError: the file is missing or not Parquet.
        """
        try:
            path = self._shared(file, name) if self.is_cluster else str(file)
            table = self.backend.read_parquet(self._plain(path))
            # Ibis forgets the time zone of Spark's times. Any column may have nulls, as DuckDB reads it.
            schema = pa.schema([(column.name, column.type) for column in pq.read_schema(file)])
            return table.cast(ibis.Schema.from_pyarrow(schema))
        except Exception as error:
            raise StepError(
                f"{name}: expected a readable Parquet file at {file} ({str(error).splitlines()[0]}); "
                "run the step that writes it again"
            ) from error

    def table(self, rows: pa.Table, name: str) -> ir.Table:
        """Return `rows` as a table of the backend, by way of a Parquet file.

        Ibis gives Spark a table in memory through pandas, which changes NaN, and integers beside a null.
        """
        with tempfile.TemporaryDirectory(prefix="penchant-") as folder:
            file = Path(folder if self.is_cluster else self.scratch, f"{name}-{uuid.uuid4().hex}.parquet")
            pq.write_table(rows, file, compression="zstd")
            return self.read(file, name)

    def _plain(self, path: str) -> str:
        """Return a path in which no character is a wildcard; Hadoop's are not those of DuckDB."""
        if self.backend.name == "duckdb":
            return without_wildcards(path)
        return re.sub(r"([\\*?\[\]{}])", r"\\\1", path)

    def _shared(self, file: Path, name: str) -> str:
        filesystem, folder = locate(self.scratch)
        target = f"{folder}/{name}-{uuid.uuid4().hex}.parquet"
        filesystem.makedirs(folder, exist_ok=True)
        filesystem.put_file(str(file), target)
        return target if isinstance(filesystem, LocalFileSystem) else filesystem.unstrip_protocol(target)


@contextmanager
def connect(compute: Compute, warehouse: str) -> Iterator[Engine]:
    """Yield the engine that `compute` names.

    Args:
        warehouse: directory or fsspec URL that a cluster can read; `compute` in it gets copies of inputs.

    Raises:
        StepError: PySpark or Java are missing, or Spark can't be reached.
    """
    if not compute.is_spark:
        with _duckdb() as engine:
            yield engine
        return
    with spark_session(compute) as session, _scratch(compute, warehouse) as scratch:
        # Ibis sets the session's time zone to UTC.
        yield Engine(ibis.pyspark.connect(session), scratch, compute.is_cluster)


def fetch(table: ir.Table) -> pa.Table:
    """Run an expression on its backend; return the rows in order, in one chunk: equal rows make equal files.

    Not by Ibis' `to_pyarrow` on Spark, which takes the rows through pandas: NaN becomes null there, and an
    integer above 2^53 another one if the column has a null.
    """
    backend = table.get_backend()
    rows = table.to_pyarrow() if backend.name == "duckdb" else _fetch_from_spark(backend, table)
    return rows.cast(table.schema().to_pyarrow()).combine_chunks()


def _fetch_from_spark(backend: ibis.BaseBackend, table: ir.Table) -> pa.Table:
    view = f"penchant_{uuid.uuid4().hex}"
    backend.create_view(view, table)  # also registers the tables in memory that the expression has
    try:
        return backend.raw_sql(f"SELECT * FROM {view}").toArrow()
    finally:
        backend.raw_sql(f"DROP VIEW {view}")  # Ibis' own drop_view names no view


@contextmanager
def _duckdb() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="penchant-features-") as folder:
        backend = ibis.duckdb.connect(memory_limit=duckdb_memory_limit(), temp_directory=f"{folder}/spill")
        # Every written table has an ORDER BY, so DuckDB needn't buffer rows to keep the order of a scan.
        backend.raw_sql("SET preserve_insertion_order = false")
        backend.raw_sql("SET TimeZone = 'UTC'")
        try:
            yield Engine(backend, folder, is_cluster=False)
        finally:
            backend.disconnect()


@contextmanager
def _scratch(compute: Compute, warehouse: str) -> Iterator[str]:
    """Yield an address below `warehouse` that a cluster can read, or else a temporary folder."""
    if not compute.is_cluster:
        with tempfile.TemporaryDirectory(prefix="penchant-features-") as folder:
            yield folder
        return
    address = f"{warehouse.rstrip('/')}/compute/{uuid.uuid4().hex}"
    try:
        yield address
    finally:
        filesystem, folder = locate(address)
        if filesystem.exists(folder):
            filesystem.rm(folder, recursive=True)
