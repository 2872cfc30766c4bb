"""Scores of items as a weighted sum of matrix rows, sparse for a large catalog, dense for a small one."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from scipy.sparse import csr_array

from serving.ranking.top_k import top_k
from serving.release.arrays import FloatArray, Indexes
from serving.release.sparse import copy_rows, sum_rows

# Up to this many items a query may hold one number per item.
DENSE_ITEMS: Final = 100_000


def is_dense(item_count: int) -> bool:
    """Return whether scores of a catalog of this size are kept as one number per item."""
    return item_count <= DENSE_ITEMS


@dataclass(frozen=True, eq=False)
class SparseScores:
    """Concatenated rows: entry e of row r adds `weights[r] * values[e]` to the score of `items[e]`."""

    items: Indexes  # [entries] indexes, repeated; item_count means no item
    values: FloatArray  # [entries]
    offsets: Indexes  # [rows + 1] first entry of each row, then the number of entries
    weights: FloatArray  # [rows]
    item_count: int

    @classmethod
    def of(cls, items: Indexes, weights: FloatArray, item_count: int) -> "SparseScores":
        """Build from one row: `weights[e]` for `items[e]`, which may repeat."""
        offsets = np.array([0, len(items)], np.int32)
        return cls(items, weights, offsets, np.ones(1, np.float32), item_count)

    @cached_property
    def sums(self) -> FloatArray:
        """[item_count] the score of each item."""
        return self._sum(self.items, self.item_count)[:-1]

    @property
    def total(self) -> float:
        """The sum of all entries, those without an item included."""
        return float(np.repeat(self.weights, np.diff(self.offsets)) @ self.values)

    def to_dense(self) -> "SparseScores | DenseScores":
        """Return one number per item for a small catalog, where the entries take ten times the memory."""
        if not is_dense(self.item_count):
            return self
        sums = self._sum(self.items, self.item_count)
        return DenseScores(sums[:-1], float(sums[-1]))

    def at(self, items: Indexes) -> FloatArray:
        """Return the scores [m] of `items` [m], distinct."""
        with positions_of(items, self.item_count) as positions:
            return self._sum(positions[self.items], len(items))[1:]

    def top_k(self, count: int) -> Indexes:
        """Return the `count` items with the largest positive scores, in no order."""
        items, positions = np.unique(self.items, return_inverse=True)
        sums = self._sum(positions.astype(np.int32), len(items))[:-1]
        sums[items == self.item_count] = 0
        return items[top_k(sums, count)]

    def _sum(self, positions: Indexes, count: int) -> FloatArray:
        """Return the sums [count + 1] of the entries at each position; `positions`: [entries]."""
        return sum_rows(positions, self.values, self.offsets, self.weights, count + 1)


@dataclass(frozen=True, eq=False)
class DenseScores:
    """One score per item, with the interface of SparseScores."""

    sums: FloatArray  # [item_count]
    without_item: float = 0.0  # the sum of the entries without an item

    @property
    def total(self) -> float:
        """The sum of all entries, those without an item included."""
        return float(self.sums.sum()) + self.without_item

    def at(self, items: Indexes) -> FloatArray:
        """Return the scores [m] of `items` [m], distinct."""
        return self.sums if len(items) == len(self.sums) and _is_ascending(items) else self.sums[items]

    def top_k(self, count: int) -> Indexes:
        """Return the `count` items with the largest positive scores, ascending."""
        return top_k(self.sums, count)


Scores = SparseScores | DenseScores


def _is_ascending(items: Indexes) -> bool:
    return bool((items[1:] > items[:-1]).all())


_thread = threading.local()


@contextmanager
def positions_of(items: Indexes, item_count: int) -> Iterator[Indexes]:
    """Yield [≥ item_count + 1] the position of each of `items`, distinct, counted from 1; 0 for all others.

    The array belongs to the thread and is reused, because clearing one number per item at each request is
    expensive for a large catalog.
    """
    positions: Indexes | None = getattr(_thread, "positions", None)
    if positions is None or len(positions) <= item_count:
        positions = _thread.positions = np.zeros(item_count + 1, np.int32)
    positions[items] = np.arange(1, len(items) + 1)
    try:
        yield positions
    finally:
        positions[items] = 0


def submatrix(matrix: csr_array, rows: Indexes, columns: Indexes) -> FloatArray:
    """Return matrix[rows][:, columns], dense float32, at a cost independent of the matrix's width.

    `columns` are distinct.
    """
    (dense,) = submatrices([(matrix, rows)], columns)
    return dense


def submatrices(parts: Sequence[tuple[csr_array, Indexes]], columns: Indexes) -> list[FloatArray]:
    """Return what `submatrix` returns for the rows of each matrix; all matrices have one width."""
    if not parts:
        return []
    with positions_of(columns, parts[0][0].shape[1]) as positions:
        return [_submatrix(positions, matrix, rows, len(columns)) for matrix, rows in parts]


def _submatrix(positions: Indexes, matrix: csr_array, rows: Indexes, count: int) -> FloatArray:
    row_columns, values, offsets = copy_rows(matrix, rows)
    position = positions.take(row_columns)
    (entries,) = (position != 0).nonzero()  # faster than of the integers
    dense = np.zeros((len(rows), count), np.float32)
    dense[offsets.searchsorted(entries, "right") - 1, position[entries] - 1] = values[entries]
    return dense
