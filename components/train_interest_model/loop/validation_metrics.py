"""Ranks the validation targets among all items, for early stopping."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.evaluate_release.metrics.accuracy import MISS, IntArray, ranks_of
from components.train_interest_model.data.sequences import Sequences
from components.train_interest_model.loop.distribution_strategy import SIGNATURE
from components.train_interest_model.network.model import InterestModel
from serving.release.arrays import distinct

SEEN = -np.inf


class Validation:
    """The validation queries, encoded once, with the items to exclude."""

    def __init__(self, queries: Sequences, seen: Sequences | None, batch_size: int = 128) -> None:
        """`seen`: windows whose items are excluded, as are those of the history; None excludes nothing."""
        self.queries = queries
        self.batch_size = batch_size
        self._seen = _seen_items(queries, seen) if seen is not None else None

    def seen_items(self, query: int) -> NDArray[np.int32]:
        """Return the items that are excluded for a query."""
        return self._seen[query] if self._seen else np.zeros(0, np.int32)

    def ranks(self, model: InterestModel) -> IntArray:
        """Return [queries] int32 the rank of each target, as in evaluate_release.metrics.accuracy."""
        vectors, scoring = model.item_vectors(), model.scoring_vectors().numpy()
        # Else it would be traced for the first shape, and again for any other.
        _last_interests.get_concrete_function(model, vectors, SIGNATURE)
        ranks = np.full(len(self.queries), MISS, np.int32)
        order = np.argsort(self.queries.lengths, kind="stable")
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            width = max(1, int(self.queries.lengths[rows].max()))
            codes = {name: tf.constant(part) for name, part in self.queries.pad(rows, width).items()}
            scores = _last_interests(model, vectors, codes).numpy() @ scoring.T
            for row, query in enumerate(rows if self._seen else ()):
                scores[row, self._seen[query]] = SEEN  # type: ignore[index]
            ranks[rows] = ranks_of(scores, self.queries.targets[rows])
        return ranks


@tf.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
def _last_interests(model: InterestModel, vectors: tf.Tensor, codes: dict[str, tf.Tensor]) -> tf.Tensor:
    return model.last_interests(vectors, codes)


def _seen_items(queries: Sequences, windows: Sequences) -> list[NDArray[np.int32]]:
    rows: dict[str, list[int]] = {}
    for row, user in enumerate(windows.users):
        rows.setdefault(user, []).append(row)
    seen = []
    for query, user in enumerate(queries.users):
        parts = [queries.of_row(query)]
        parts += [windows.of_row(row) for row in rows.get(user, ())]
        seen.append(distinct(np.concatenate(parts)))
    return seen
