"""The influence of a user's recent items on answered items."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from scipy.sparse import csr_array

from serving.ranking.sparse_scores import positions_of
from serving.release.arrays import FloatArray, Indexes
from serving.release.ranking_data import Ranking
from serving.release.sparse import copy_rows

# Only the newest interactions explain an item. Their influence falls by this factor with each step of age,
# faster than in the scores, because users doubt a reason that is old.
RECENT: Final = 20
REASON_DECAY: Final = 0.9
_RECENCY_WEIGHTS: Final = (REASON_DECAY ** np.arange(RECENT, dtype=np.float32))[:, np.newaxis]


@dataclass(frozen=True, eq=False)
class Influence:
    """One kind of influence: that of each recent interaction on each answered item."""

    values: FloatArray  # [recent, k]

    @cached_property
    def strongest(self) -> list[int]:
        """[k] position of the most influential interaction, -1 where none has any."""
        has_any = self.values.max(axis=0) > 0
        strongest: list[int] = np.where(has_any, self.values.argmax(axis=0), -1).tolist()
        return strongest


class Influences:
    """The kinds of influence of recent items on answered items [k], computed on first use."""

    def __init__(
        self, ranking: Ranking, recent: Indexes, items: Indexes, votes: FloatArray | None = None
    ) -> None:
        """Store the arguments.

        Args:
            recent: [recent] item indexes, newest first.
            votes: [recent] how much each interaction votes for its item; None where each is 1.
        """
        self._ranking, self._recent, self._items = ranking, recent, items
        weights = _RECENCY_WEIGHTS[: len(recent)]
        self._weights = weights if votes is None else weights * votes[:, np.newaxis]
        self.recent_items = recent.tolist()

    @cached_property
    def transitions(self) -> Influence:
        return self._by_recency(submatrix(self._ranking.filters.transitions, self._recent, self._items))

    @cached_property
    def item_cosine(self) -> Influence:
        return self._by_recency(submatrix(self._ranking.filters.item_cosine, self._recent, self._items))

    @cached_property
    def embeddings(self) -> Influence:
        embeddings = self._ranking.item_embeddings
        # The last column is the item's bias, which does not measure similarity.
        products = embeddings[self._recent, :-1] @ embeddings[self._items, :-1].T
        return self._by_recency(np.maximum(products, 0))

    def strongest_items(self, count: int) -> list[list[int]]:
        """Return [k] lists of the recent items with the largest sum of influences, each kind scaled to 1."""
        kinds = (self.transitions.values, self.item_cosine.values, self.embeddings.values)
        total = np.sum([values / max(float(values.max()), 1e-9) for values in kinds], axis=0)
        order = np.argsort(-total, axis=0, kind="stable")
        strongest = []
        for item in range(total.shape[1]):
            items = (self.recent_items[position] for position in order[:, item] if total[position, item] > 0)
            strongest.append(list(dict.fromkeys(items))[:count])
        return strongest

    def _by_recency(self, values: FloatArray) -> Influence:
        # An item is not a reason for itself.
        values *= self._weights * (self._recent[:, np.newaxis] != self._items)
        return Influence(values)


def submatrix(matrix: csr_array, rows: Indexes, columns: Indexes) -> FloatArray:
    """Return matrix[rows][:, columns], dense float32, at a cost independent of the matrix's width.

    `columns` are distinct.
    """
    row_columns, values, offsets = copy_rows(matrix, rows)
    with positions_of(columns, matrix.shape[1]) as positions:
        position = positions[row_columns]
    entries = np.flatnonzero(position)
    dense = np.zeros((len(rows), len(columns)), np.float32)
    dense[np.searchsorted(offsets, entries, side="right") - 1, position[entries] - 1] = values[entries]
    return dense
