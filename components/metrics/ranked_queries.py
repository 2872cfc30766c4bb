"""One model's answers to the queries: the rank of each target, and the first items of each list."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

# Length of the longest list that is measured.
MAX_LENGTH: Final = 20


@dataclass(frozen=True)
class RankedQueries:
    """One model's answers; every model answers the same queries."""

    ranks: NDArray[np.integer[Any]]  # [queries] of the target, 1 is best, metrics.accuracy.MISS if unranked
    items: NDArray[np.integer[Any]]  # [queries, MAX_LENGTH] best first, padded with -1

    def select(self, mask: NDArray[np.bool_]) -> "RankedQueries":
        """Return the answers to the queries where `mask` [queries] is true."""
        return RankedQueries(self.ranks[mask], self.items[mask])
