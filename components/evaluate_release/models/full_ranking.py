"""Ranks the whole catalog for each query."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.evaluate_release.data.queries import Queries
from components.metrics.accuracy import ranks_of, top_items
from components.metrics.ranked_queries import MAX_LENGTH, RankedQueries

# Scores computed at once: 64 MB of float32.
MAX_SCORES: Final = 16_000_000


def rank_all(scores: Callable[[slice], NDArray[np.float32]], queries: Queries, n_items: int) -> RankedQueries:
    """Rank every item for every query, except the items that the user has seen or dislikes.

    Args:
        scores: a slice of the queries -> [queries of the slice, items] float32, higher is better.
    """
    size = max(1, MAX_SCORES // n_items)
    disliked = queries.disliked()
    ranks, items = [], []
    for start in range(0, len(queries), size):
        part = slice(start, min(start + size, len(queries)))
        batch = np.array(scores(part), np.float32)
        for row, seen, disliked_items in zip(batch, queries.seen[part], disliked[part], strict=True):
            row[seen] = row[disliked_items] = -np.inf
        ranks.append(ranks_of(batch, queries.targets[part]))
        items.append(top_items(batch, MAX_LENGTH))
    return RankedQueries(np.concatenate(ranks), np.concatenate(items))
