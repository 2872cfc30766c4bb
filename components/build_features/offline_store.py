"""Writes the Parquet files of Feast's offline store."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ibis.expr.types as ir
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from components.compute.engine import fetch
from feature_repo.atomic_files import staging_directory
from feature_repo.filesystems import locate

# Small row groups let a reader load few users without reading the whole file.
ROWS_PER_GROUP = 5_000


@contextmanager
def publishing(location: str) -> Iterator[Path]:
    """Yield a staging directory; its files move to `location` when the block ends without an error.

    Args:
        location: a directory, or an fsspec URL.
    """
    filesystem, target = locate(location)
    if isinstance(filesystem, LocalFileSystem):
        # Inside the target, because the target may be a mount point or a link to another file system.
        with staging_directory(Path(target, "staging")) as staging:
            yield staging
            for file in sorted(staging.iterdir()):
                file.replace(Path(target, file.name))
    else:
        with tempfile.TemporaryDirectory(prefix="penchant-features-") as folder:
            yield Path(folder)
            for file in sorted(Path(folder).iterdir()):
                filesystem.put_file(str(file), f"{target}/{file.name}")


def write(file: Path, parts: Iterable[ir.Table]) -> int:
    """Write `parts` one after another to a Parquet file; return the number of rows."""
    rows, writer = 0, None
    try:
        for part in parts:
            table = fetch(part)
            writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd")
            writer.write_table(table, row_group_size=ROWS_PER_GROUP)
            rows += table.num_rows
    finally:
        if writer:
            writer.close()
    return rows
