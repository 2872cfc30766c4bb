"""The baselines that a release must beat: popularity and transition counts."""

from typing import Final

import numpy as np
from scipy.sparse import csr_array

from components.evaluate_release.data.queries import Indexes, Queries, Times
from components.evaluate_release.models.full_ranking import rank_all
from components.metrics.accuracy import MISS
from components.metrics.ranked_queries import MAX_LENGTH, RankedQueries
from serving.release.arrays import FloatArray

# An item n steps back has the weight DECAY**n; after MAX_STEPS the weight is negligible. A step is all
# interactions with one timestamp.
DECAY: Final = 0.7
MAX_STEPS: Final = 20


def popularity(queries: Queries, popularity: FloatArray) -> RankedQueries:
    """Rank items by the number of users who chose them, popularity [items], the same for every user.

    What `rank_all` returns, without a copy of all scores for each query.
    """
    order = np.argsort(-popularity, kind="stable").astype(np.int32)
    reached = len(order) - np.searchsorted(np.sort(popularity), popularity)  # items with no smaller score
    ranks = np.full(len(queries), MISS, np.int32)
    items = np.full((len(queries), MAX_LENGTH), -1, np.int32)
    for query, (seen, disliked) in enumerate(zip(queries.seen, queries.disliked(), strict=True)):
        excluded, target = np.union1d(seen, disliked), queries.targets[query]
        first = order[: MAX_LENGTH + len(excluded)]
        first = first[~np.isin(first, excluded)][:MAX_LENGTH]
        items[query, : len(first)] = first
        if target >= 0 and target not in excluded:
            ranks[query] = reached[target] - np.count_nonzero(popularity[excluded] >= popularity[target])
    return RankedQueries(ranks, items)


def transitions(queries: Queries, transitions: csr_array) -> RankedQueries:
    """Rank items by how often they follow the last items that the user liked; transitions: [items, items]."""
    liked = queries.liked()
    times = [
        times[preferences > 0]
        for times, preferences in zip(queries.timestamps, queries.preferences, strict=True)
    ]

    def scores(part: slice) -> FloatArray:
        weights = recency_weights(liked[part], times[part], transitions.shape[0])
        return np.asarray((weights @ transitions).toarray(), np.float32)

    return rank_all(scores, queries, transitions.shape[1])


def recency_weights(histories: list[Indexes], timestamps: list[Times], n_items: int) -> csr_array:
    """Return [histories, items]: DECAY**n for an item n steps back, summed over repeats.

    Args:
        timestamps: of `histories`, oldest first.
    """
    ages = [np.cumsum(np.diff(times[::-1], prepend=times[-1:]) != 0) for times in timestamps]
    recent = [history[::-1][age < MAX_STEPS] for history, age in zip(histories, ages, strict=True)]
    indices = np.concatenate([*recent, np.empty(0, np.int32)])
    steps = np.concatenate([*(age[age < MAX_STEPS] for age in ages), np.empty(0, np.int64)])
    weights = csr_array(
        ((DECAY**steps).astype(np.float32), indices, np.cumsum([0, *map(len, recent)])),
        shape=(len(histories), n_items),
    )
    weights.sum_duplicates()
    return weights
