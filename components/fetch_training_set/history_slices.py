"""Gives Feast the histories of a range of users at a time.

Feast's join would read all histories for each part of a training set, so that the time for all parts grows
with the square of their number: DuckDB skips row groups by the first eight bytes of a key, in which many user
ids agree (findings/duckdb_join_filter_on_text_keys.sh).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.compute.address import Compute
from feature_repo.contract import USER_HISTORY, USER_PROFILE
from feature_repo.filesystems import open_binary
from feature_repo.store import open_store
from feature_repo.store_addresses import FeatureStoreAddresses, table_path

# Users -> a feast.FeatureStore that has their histories, and maybe others.
SelectHistories = Callable[[pa.ChunkedArray], Any]


@contextmanager
def open_slices(addresses: FeatureStoreAddresses, compute: Compute) -> Iterator[SelectHistories]:
    """Register the feature tables, and yield what selects the histories of some users.

    A cluster can't read the files of this machine: there the store always has all histories.
    """
    store = open_store(addresses)
    if compute.is_cluster:
        yield lambda users: store
        return
    with open_binary(table_path(addresses.features, USER_PROFILE)) as file:
        profiles = pq.read_schema(file)
    with (
        TemporaryDirectory(prefix="penchant-training-set-") as folder,
        open_binary(table_path(addresses.features, USER_HISTORY)) as file,
        pq.ParquetFile(file) as histories,
    ):
        yield _Slices(histories, profiles, Path(folder)).select


class _Slices:
    """A feature store of its own, with the same feature views, over some rows of the histories."""

    def __init__(self, histories: pq.ParquetFile, profiles: pa.Schema, folder: Path) -> None:
        self._histories, self._file = histories, Path(table_path(str(folder), USER_HISTORY))
        pq.write_table(profiles.empty_table(), table_path(str(folder), USER_PROFILE))
        pq.write_table(histories.schema_arrow.empty_table(), self._file)
        names = (f"{folder}/{name}.db" for name in ("registry", "online_store"))
        self._store = open_store(FeatureStoreAddresses(str(folder), *names))
        metadata = histories.metadata
        paths = [metadata.schema.column(column).path for column in range(metadata.num_columns)]
        users = paths.index("user_id")
        self._ranges = [
            metadata.row_group(group).column(users).statistics for group in range(metadata.num_row_groups)
        ]

    def select(self, users: pa.ChunkedArray) -> Any:
        """Return the store, which now has the histories from the first to the last of `users`."""
        first, last = pc.min_max(users).values()
        with pq.ParquetWriter(self._file, self._histories.schema_arrow, compression="lz4") as writer:
            for group in self._groups(first.as_py(), last.as_py()):
                rows = self._histories.read_row_group(group)
                ids = rows["user_id"]
                within = pc.and_(pc.greater_equal(ids, first), pc.less_equal(ids, last))
                writer.write_table(rows.filter(within))
        return self._store

    def _groups(self, first: str, last: str) -> Iterator[int]:
        """Yield the row groups that may have users of the range; without statistics any may."""
        for group, users in enumerate(self._ranges):
            if users is None or not users.has_min_max or (users.min <= last and users.max >= first):
                yield group
