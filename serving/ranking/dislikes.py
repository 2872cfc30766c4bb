"""What a user dislikes now: single items and whole categories, less what later likes take back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.ranking.sparse_scores import SparseScores, submatrix
from serving.release.arrays import FloatArray, Indexes
from serving.release.ranking_data import Ranking
from serving.release.sparse import copy_rows

# A dislike loses 1 - DECAY of its strength with each later interaction; older ones are left out.
DECAY: Final = 0.92
RECENT: Final = 50

# One dislike lowers the item's neighbours. Only dislikes that together are stronger than one lower a whole
# category or neighbourhood, by this much for each unit above 1. Most users who rate films like and dislike
# items of the same categories in turn: the accuracy of their answers would fall without this threshold.
KIND_STRENGTH: Final = 1.0
KIND_SLOPE: Final = 2.0

# What one unit of `Dislikes.of_items` adds to a score, in log odds of being chosen. All of these constants
# were chosen on the validation split of MovieLens-100K; `make bench-feedback` measures their effect.
DISLIKE_WEIGHT: Final = -1.0

_TINY: Final = np.float32(1e-9)


@dataclass(frozen=True, eq=False)
class Dislikes:
    """A user's recent dislikes [d], newest first."""

    ranking: Ranking
    items: Indexes  # [d]
    event_types: list[str]  # [d]
    categories: FloatArray  # [categories] how strongly each category of the catalog is disliked
    weights: FloatArray  # [d] strength of each dislike, divided by the largest cosine of its item

    @classmethod
    def of(
        cls, ranking: Ranking, items: Indexes, event_types: Sequence[str], preferences: FloatArray
    ) -> "Dislikes | None":
        """Return the dislikes of a history; None without a recent one.

        Args:
            items: [h] indexes, oldest first.
            event_types: [h]
            preferences: [h] of FeedbackPolicy.preferences.
        """
        negative = np.flatnonzero(preferences[-RECENT:] < 0)[::-1] + max(0, len(items) - RECENT)
        if not len(negative):
            return None
        first = int(negative[-1])
        ages = np.arange(len(items) - 1 - first, -1, -1, dtype=np.float32)
        aged: FloatArray = preferences[first:] * np.float32(DECAY) ** ages
        return cls(
            ranking=ranking,
            items=items[negative],
            event_types=[event_types[position] for position in negative.tolist()],
            categories=_category_strengths(ranking, items[first:], aged),
            weights=_weights(ranking, items[first:], aged, negative - first),
        )

    def of_items(self, items: Indexes) -> FloatArray:
        """Return how much each of `items` [m], distinct, is like what the user dislikes [m], from 0."""
        columns, values, offsets = copy_rows(self.ranking.filters.item_cosine, self.items)
        similarity = SparseScores(columns, values, offsets, self.weights, len(self.ranking.catalog)).at(items)
        likeness = np.maximum(similarity, self._of_categories(items))
        likeness -= KIND_STRENGTH
        np.maximum(likeness, 0, out=likeness)
        likeness *= KIND_SLOPE
        likeness += similarity
        return likeness

    def cause(self, item: int) -> tuple[str, list[int]]:
        """Return why an item is lowered: its most disliked category, and positions in `items`.

        The positions are those of the disliked items in that category. If none of the item's categories is
        disliked strongly enough to lower it, the category is "", and the positions are those of similar
        disliked items, the most similar first.
        """
        one, catalog = np.array([item], np.int32), self.ranking.catalog
        if self._of_categories(one)[0] > KIND_STRENGTH:
            categories, index = catalog.categories, catalog.category_index
            category = max(categories[item], key=lambda name: float(self.categories[index[name]]))
            disliked = enumerate(self.items.tolist())
            return category, [position for position, past in disliked if category in categories[past]]
        similarity = submatrix(self.ranking.filters.item_cosine, self.items, one)[:, 0]
        similarity *= self.weights
        order = np.argsort(-similarity, kind="stable")
        positions: list[int] = order[similarity[order] > 0].tolist()
        return "", positions

    def _of_categories(self, items: Indexes) -> FloatArray:
        """Return the strength [m] of the most disliked category of each of `items` [m]."""
        columns, _, offsets = copy_rows(self.ranking.catalog.content, items)
        return _maxima(self.categories.take(columns), offsets)


def _category_strengths(ranking: Ranking, items: Indexes, aged: FloatArray) -> FloatArray:
    """Return [categories]: for each category a cumulative sum of dislikes less likes that stays above 0.

    Page 1954, "Continuous inspection schemes": likes before a dislike do not excuse it, so that a change of
    taste shows at once, and later likes take it back.

    Args:
        items: [h] indexes, oldest first.
        aged: [h] preferences, weighted by age.
    """
    content = ranking.catalog.content
    columns, _, offsets = copy_rows(content, items)
    strengths: dict[int, float] = {}
    losses = np.repeat(aged, np.diff(offsets)).tolist()
    for column, loss in zip(columns.tolist(), losses, strict=True):
        strengths[column] = max(0.0, strengths.get(column, 0.0) - loss)
    result = np.zeros(content.shape[1], np.float32)
    result[list(strengths)] = list(strengths.values())
    return result


def _weights(ranking: Ranking, items: Indexes, aged: FloatArray, negative: NDArray[np.intp]) -> FloatArray:
    """Return the weights [d] of `Dislikes`: the nearest item of a new dislike is like it by 1.

    A later like takes back a dislike by the similarity of the two items.

    Args:
        items, aged: as above.
        negative: [d] positions of the dislikes.
    """
    matrix = ranking.filters.item_cosine
    _, values, offsets = copy_rows(matrix, items[negative])
    scales = np.reciprocal(np.maximum(_maxima(values, offsets), _TINY))
    strengths: FloatArray = -aged[negative]
    liked = np.flatnonzero(aged > 0)
    if len(liked):
        distinct, inverse = np.unique(items[liked], return_inverse=True)
        similarity = submatrix(matrix, items[negative], distinct)[:, inverse] * scales[:, np.newaxis]
        similarity *= liked > negative[:, np.newaxis]
        strengths = np.maximum(strengths - similarity @ aged[liked], 0)
    return strengths * scales


def _maxima(values: FloatArray, offsets: Indexes) -> FloatArray:
    """Return the largest value of each row [rows], 0 for an empty row; arguments as in copy_rows."""
    maxima = np.zeros(len(offsets) - 1, np.float32)
    filled = np.flatnonzero(offsets[1:] > offsets[:-1])
    if len(filled):
        maxima[filled] = np.maximum.reduceat(values, offsets[filled])
    return maxima
