"""What any release has to beat: popularity, and counts of what follows what."""

import numpy as np
from scipy.sparse import csr_array

from components.evaluate_release.data.queries import Indexes, Queries
from components.evaluate_release.data.ranked_queries import RankedQueries
from components.evaluate_release.models.full_ranking import rank_all
from serving.release.arrays import FloatArray

# A transition from the interaction n steps back counts DECAY**n; beyond RECENT steps it would not be felt.
DECAY, RECENT = 0.7, 20


def popularity(queries: Queries, popularity: FloatArray) -> RankedQueries:
    """The items with most interactions first, to everyone alike; popularity: [items]."""

    def scores(part: slice) -> FloatArray:
        return np.broadcast_to(popularity, (part.stop - part.start, len(popularity)))

    return rank_all(scores, queries, len(popularity))


def transitions(queries: Queries, transitions: csr_array) -> RankedQueries:
    """The items that most often come soon after the user's last ones; transitions: [items, items]."""

    def scores(part: slice) -> FloatArray:
        weights = recency_weights(queries.items[part], transitions.shape[0])
        return np.asarray((weights @ transitions).toarray(), np.float32)

    return rank_all(scores, queries, transitions.shape[1])


def recency_weights(histories: list[Indexes], n_items: int) -> csr_array:
    """[histories, items]: DECAY**n for the item n steps back, summed where it occurs again."""
    recent = [history[-RECENT:][::-1] for history in histories]
    lengths = [len(history) for history in recent]
    indices = np.concatenate([*recent, np.empty(0, np.int32)])
    steps = np.concatenate([*map(np.arange, lengths), np.empty(0, np.int64)])
    weights = csr_array(
        ((DECAY**steps).astype(np.float32), indices, np.cumsum([0, *lengths])),
        shape=(len(histories), n_items),
    )
    weights.sum_duplicates()
    return weights
