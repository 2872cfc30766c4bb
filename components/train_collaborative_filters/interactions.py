"""Reads the interactions of one split as arrays of user and item indexes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.sparse import csr_array

from components.errors import StepError


@dataclass(frozen=True)
class Interactions:
    """Three parallel arrays [interactions], sorted by user and time."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    timestamps: NDArray[np.int64]  # µs since the epoch
    user_count: int
    item_count: int
    user_ids: Sequence[str] = ()  # [users] or empty

    def __len__(self) -> int:
        return len(self.items)

    def newest(self, count: int) -> "Interactions":
        """Return each user's newest `count` interactions."""
        ends = np.cumsum(np.bincount(self.users, minlength=self.user_count))
        kept = ends[self.users] - np.arange(len(self)) <= count
        return self._only(kept)

    def of_newest_users(self, count: int) -> "Interactions":
        """Return the interactions of the `count` most recently active users; users keep their order."""
        if self.user_count <= count:
            return self
        last = np.zeros(self.user_count, np.int64)
        np.maximum.at(last, self.users, self.timestamps)
        chosen = np.zeros(self.user_count, bool)
        chosen[np.argsort(-last, kind="stable")[:count]] = True
        part = self._only(chosen[self.users])
        renumbered = (np.cumsum(chosen) - 1).astype(np.int32)
        return Interactions(renumbered[part.users], part.items, part.timestamps, count, self.item_count)

    def user_items(self) -> csr_array:
        """Return [users, items] float32, 1 where a user chose an item at least once."""
        shape = (self.user_count, self.item_count)
        matrix = csr_array((np.ones(len(self), np.float32), (self.users, self.items)), shape=shape)
        matrix.sum_duplicates()
        matrix.data[:] = 1
        return matrix

    def _only(self, kept: NDArray[np.bool_]) -> "Interactions":
        return Interactions(
            self.users[kept], self.items[kept], self.timestamps[kept], self.user_count, self.item_count
        )


def read(training_set: Path, items: Path, split: str) -> Interactions:
    """Read the windows of `split` ("train" or "all"); an item's index is its row in `items`.

    Raises:
        StepError: a file can't be read, the split is empty, or an item is not in `items`.
    """
    ids = read_table(items, ["item_id"]).column("item_id").combine_chunks()
    columns = ["user_id", "cutoff", "split", "item_ids", "timestamps"]
    windows = read_table(training_set, columns)
    windows = windows.filter(pc.equal(windows.column("split"), split))
    lengths = pc.fill_null(pc.list_value_length(windows.column("item_ids")), 0).to_numpy()
    if not lengths.sum():
        raise StepError(
            f"{training_set} holds no interaction of split {split!r}: expected windows of 'train' or 'all'; "
            "the spine needs users before its first cutoff (more data, or --protocol leave-one-out)"
        )
    users = windows.column("user_id").combine_chunks().dictionary_encode()
    codes = users.indices.to_numpy()
    order = np.lexsort((windows.column("cutoff").cast(pa.int64()).to_numpy(), codes))
    rows = _ranges((np.cumsum(lengths) - lengths)[order], lengths[order])
    return Interactions(
        users=np.repeat(codes[order], lengths[order]).astype(np.int32),
        items=_indexes(windows.column("item_ids"), ids, items)[rows],
        timestamps=_flat(windows.column("timestamps")).to_numpy()[rows],
        user_count=len(users.dictionary),
        item_count=len(ids),
        user_ids=users.dictionary.to_pylist(),
    )


def read_table(file: Path, columns: list[str] | None = None) -> pa.Table:
    """Read the columns, or all, of a Parquet file.

    Raises:
        StepError: the file can't be read, or a column is missing.
    """
    try:
        return pq.read_table(file, columns=columns)
    except (OSError, pa.ArrowException) as error:
        expected = f" with the columns {columns}" if columns else ""
        raise StepError(f"{file}: expected a Parquet file{expected}: {error}") from error


def _flat(lists: pa.ChunkedArray) -> pa.Array:
    return pa.chunked_array([chunk.flatten() for chunk in lists.chunks], lists.type.value_type)


def _indexes(item_ids: pa.ChunkedArray, catalog_ids: pa.Array, items: Path) -> NDArray[np.int32]:
    flat = _flat(item_ids)
    indexes = pc.index_in(flat, value_set=catalog_ids)
    if indexes.null_count:
        missing = flat.filter(pc.is_null(indexes))[0].as_py()
        raise StepError(
            f"{indexes.null_count} interactions have an item that is not in {items}, first {missing!r}: "
            "use the items and the training set of the same run"
        )
    array: NDArray[np.int32] = indexes.to_numpy().astype(np.int32)
    return array


def _ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Concatenate the ranges [start, start + length)."""
    before = np.cumsum(lengths) - lengths
    ranges: NDArray[np.int64] = np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
    return ranges
