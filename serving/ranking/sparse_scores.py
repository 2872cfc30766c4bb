"""SparseScores for items: rows of weighted matrices added up, and the items that they name most."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse._sparsetools import csc_matvec

from serving.release.arrays import FloatArray, Indexes

# Up to here votes are added up in an array of all items; above it only where they fall.
DENSE_ITEMS: Final = 100_000


def is_dense(item_count: int) -> bool:
    """Whether a number an item is affordable for each query."""
    return item_count <= DENSE_ITEMS


@dataclass(frozen=True, eq=False)
class SparseScores:
    """Rows of a matrix, end to end: row r names `items[e]` by `weights[r] * values[e]`, for each e of it."""

    items: Indexes  # [entries] indexes; item_count stands for none of them
    values: FloatArray  # [entries]
    starts: Indexes  # [rows + 1] where each row begins, and where the last one ends
    weights: FloatArray  # [rows]
    item_count: int

    @classmethod
    def of(cls, items: Indexes, weights: FloatArray, item_count: int) -> "SparseScores":
        """`weights[e]` for `items[e]`, an item as often as it is named."""
        starts = np.array([0, len(items)], np.int32)
        return cls(items, weights, starts, np.ones(1, np.float32), item_count)

    @cached_property
    def sums(self) -> FloatArray:
        """[item_count] of all items."""
        return self._added(self.items, self.item_count)[:-1]

    @property
    def total(self) -> float:
        """Of all that the rows give, to no item too."""
        return float(np.repeat(self.weights, np.diff(self.starts)) @ self.values)

    def to_dense(self) -> "SparseScores | DenseScores":
        """As a number an item where the catalog is small: the rows would be ten times as large to keep."""
        if not is_dense(self.item_count):
            return self
        every = self._added(self.items, self.item_count)
        return DenseScores(every[:-1], float(every.sum()))

    def at(self, items: Indexes) -> FloatArray:
        """[m] the sums of `items`, distinct."""
        with placed(items, self.item_count) as places:
            return self._added(places[self.items], len(items))[1:]

    def top_k(self, count: int) -> Indexes:
        """The `count` items with the largest positive sums, in no order."""
        items, place = np.unique(self.items, return_inverse=True)
        sums = self._added(place.astype(np.int32), len(items))[:-1]
        sums[items == self.item_count] = 0
        return items[top_k(sums, count)]

    def _added(self, places: Indexes, count: int) -> FloatArray:
        """[count + 1] the sum of the votes at each place.

        A sparse product whose columns the rows are, without scipy's checks: a third of the time that
        weighing each entry and np.bincount take.
        """
        sums = np.zeros(count + 1, np.float32)
        csc_matvec(len(sums), len(self.weights), self.starts, places, self.values, self.weights, sums)
        return sums


@dataclass(frozen=True, eq=False)
class DenseScores:
    """SparseScores added up; asked as those are."""

    sums: FloatArray  # [item_count]
    total: float

    def at(self, items: Indexes) -> FloatArray:
        return self.sums if len(items) == len(self.sums) and _is_range(items) else self.sums[items]

    def top_k(self, count: int) -> Indexes:
        return top_k(self.sums, count)


def top_k(scores: NDArray[np.floating], count: int) -> Indexes:
    """Where the `count` largest of the positive scores stand, ascending; of equal ones the first."""
    found = np.flatnonzero(among_top_k(scores, count)).astype(np.int32)
    if len(found) <= count:
        return found
    bound = scores[found].min()
    above, equal = found[scores[found] > bound], found[scores[found] == bound]
    return np.sort(np.concatenate([above, equal[: count - len(above)]]))


def among_top_k(scores: NDArray[np.floating], count: int, above: float = 0.0) -> NDArray[np.bool_]:
    """Whether each score is above a bound and among the `count` largest; equals of the last one are too."""
    return scores >= kth_largest(scores, count, above)


def kth_largest(scores: NDArray[np.floating], count: int, above: float = 0.0) -> np.float32:
    """The least score above a bound that is among the `count` largest.

    By sorting: most scores of a short history are equal, and partitioning takes 30 times as long on those.
    """
    least = np.nextafter(np.float32(above), np.float32(np.inf))
    return max(least, np.sort(scores)[-count]) if len(scores) > count else least


def _is_range(items: Indexes) -> bool:
    """Whether distinct indexes, as many as there are items, stand in order."""
    return bool((items[1:] > items[:-1]).all())


_thread = threading.local()


@contextmanager
def placed(items: Indexes, item_count: int) -> Iterator[Indexes]:
    """[≥ item_count + 1] the place of each of `items`, distinct, counted from 1; 0 for another and for none.

    An array of this thread, so that a large catalog's is not cleared at each request.
    """
    places: Indexes | None = getattr(_thread, "places", None)
    if places is None or len(places) <= item_count:
        places = _thread.places = np.zeros(item_count + 1, np.int32)
    places[items] = np.arange(1, len(items) + 1)
    try:
        yield places
    finally:
        places[items] = 0
