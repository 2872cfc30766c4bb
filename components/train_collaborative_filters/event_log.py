"""The interactions of one split as they were recorded, in an order that does not depend on the file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Multipliers of SplitMix64, Steele et al. 2014, "Fast splittable pseudorandom number generators".
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class EventLog:
    """Parallel arrays [interactions] of indexes and numbers."""

    users: NDArray[np.int32]  # indexes of user_ids
    items: NDArray[np.int32]
    events: NDArray[np.int32]  # indexes of event_types
    values: NDArray[np.float32]  # NaN for none
    timestamps: NDArray[np.int64]  # µs since the epoch
    user_ids: Sequence[str]
    event_types: Sequence[str]
    item_count: int

    def in_order(self) -> "EventLog":
        """Return the same interactions by user, time, and a hash of user and item within a step.

        A step is all interactions of one user with one timestamp, whose order is unknown. The hash makes the
        order of a step random, so that a part of a large step is a sample of it; in the order of item indexes
        the part would be of the items that the catalog lists first.
        """
        ties = (self.values, self.events)
        order = np.lexsort((*ties, _hash(self.users, self.items), self.timestamps, self.users))
        names = ("users", "items", "events", "values", "timestamps")
        return replace(self, **{name: getattr(self, name)[order] for name in names})


def _hash(users: NDArray[np.int32], items: NDArray[np.int32]) -> NDArray[np.uint64]:
    """Return [interactions] a different number for each user and item."""
    mixed = users.astype(np.uint64) << np.uint64(32) | items.astype(np.uint64)
    mixed = (mixed ^ mixed >> np.uint64(30)) * _FIRST
    mixed = (mixed ^ mixed >> np.uint64(27)) * _SECOND
    return mixed ^ mixed >> np.uint64(31)
