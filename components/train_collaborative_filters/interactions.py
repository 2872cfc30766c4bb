"""Interactions as arrays of user and item indexes, each with the weight of its vote."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from serving.release.arrays import FloatArray


@dataclass(frozen=True)
class Interactions:
    """Parallel arrays [interactions], in the order of EventLog.in_order.

    A step is all interactions of one user with one timestamp, whose order is unknown.
    """

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    timestamps: NDArray[np.int64]  # µs since the epoch
    weights: FloatArray  # above 0
    user_count: int
    item_count: int
    user_ids: Sequence[str] = ()  # [users] or empty

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def step_offsets(self) -> NDArray[np.int64]:
        """[steps + 1] the first interaction of each step, then the number of interactions."""
        is_first = np.ones(len(self) + 1, bool)
        is_first[1:-1] = (self.users[1:] != self.users[:-1]) | (self.timestamps[1:] != self.timestamps[:-1])
        return np.flatnonzero(is_first)

    def newest(self, count: int) -> "Interactions":
        """Return each user's newest `count` interactions; of a step that is too large, a random sample."""
        ends = np.cumsum(np.bincount(self.users, minlength=self.user_count))
        return self.select(ends[self.users] - np.arange(len(self)) <= count)

    def of_newest_users(self, count: int) -> "Interactions":
        """Return the interactions of the `count` most recently active users; users keep their order."""
        if self.user_count <= count:
            return self
        last = np.zeros(self.user_count, np.int64)
        np.maximum.at(last, self.users, self.timestamps)
        chosen = np.zeros(self.user_count, bool)
        chosen[np.argsort(-last, kind="stable")[:count]] = True
        part = self.select(chosen[self.users])
        renumbered = (np.cumsum(chosen) - 1).astype(np.int32)
        return replace(part, users=renumbered[part.users], user_count=count, user_ids=())

    def user_items(self) -> csr_array:
        """Return [users, items] float32: the largest weight of the user's interactions with the item."""
        shape = (self.user_count, self.item_count)
        offsets = np.concatenate([[0], np.cumsum(np.bincount(self.users, minlength=self.user_count))])
        matrix = csr_array((self.weights.copy(), self.items.copy(), offsets), shape=shape)
        matrix.sort_indices()
        is_first = np.ones(len(self), bool)
        is_first[1:] = (matrix.indices[1:] != matrix.indices[:-1]) | (self.users[1:] != self.users[:-1])
        first = np.flatnonzero(is_first)
        largest = np.maximum.reduceat(matrix.data, first) if len(first) else matrix.data
        return csr_array((largest, matrix.indices[first], np.searchsorted(first, offsets)), shape=shape)

    def select(self, kept: NDArray[np.bool_]) -> "Interactions":
        """Return the interactions where `kept` [interactions] is true."""
        return replace(
            self,
            users=self.users[kept],
            items=self.items[kept],
            timestamps=self.timestamps[kept],
            weights=self.weights[kept],
        )
