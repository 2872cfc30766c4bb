"""What a model answered to each query: the rank of the target, and the first items."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evaluate_release.data.queries import Queries
from components.evaluate_release.metrics.accuracy import IntArray, ranks_of, top_items

# The longest list that is measured.
LONGEST = 20

# Scores held at once: 64 MB of float32.
CELLS = 16_000_000


@dataclass(frozen=True)
class RankedQueries:
    """Answers of one model to the same queries as every other's."""

    ranks: IntArray  # [queries] of the target, 1 is best, metrics.MISS when it was not answered
    items: IntArray  # [queries, LONGEST] best first, -1 where a list is shorter

    def select(self, mask: NDArray[np.bool_]) -> "RankedQueries":
        """The answers to the queries where `mask` [queries] is true."""
        return RankedQueries(self.ranks[mask], self.items[mask])


def rank_all(scores: Callable[[slice], NDArray[np.float32]], queries: Queries, n_items: int) -> RankedQueries:
    """Rank every item for every query; what was seen before is left out.

    Args:
        scores: a slice of the queries -> [queries of the slice, items] float32, higher is better.
    """
    size = max(1, CELLS // n_items)
    ranks, items = [], []
    for start in range(0, len(queries), size):
        part = slice(start, min(start + size, len(queries)))
        batch = np.array(scores(part), np.float32)
        for row, seen in zip(batch, queries.seen[part], strict=True):
            row[seen] = -np.inf
        ranks.append(ranks_of(batch, queries.targets[part]))
        items.append(top_items(batch, LONGEST))
    return RankedQueries(np.concatenate(ranks), np.concatenate(items))
