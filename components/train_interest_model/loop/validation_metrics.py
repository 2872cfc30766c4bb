"""Ranks the validation targets among all items, for early stopping."""

from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.metrics.accuracy import MISS, IntArray, ranks_of
from components.train_interest_model.data.sequences import Sequences
from components.train_interest_model.loop.distribution_strategy import SIGNATURE
from components.train_interest_model.network.model import InterestModel
from serving.release.arrays import distinct

SEEN = -np.inf
ROWS: Final = tf.TensorSpec([None], tf.int32)


class Validation:
    """The validation queries, encoded once, with the items to exclude."""

    def __init__(self, queries: Sequences, seen: Sequences | None, batch_size: int = 128) -> None:
        """`seen`: windows whose items are excluded, as are those of the history; None excludes nothing."""
        self.queries = queries
        self.batch_size = batch_size
        self._longest = _longest_histories(queries)
        self._seen = _seen_items(queries, seen) if seen is not None else None

    def seen_items(self, query: int) -> NDArray[np.int32]:
        """Return the items that are excluded for a query."""
        return self._seen[query] if self._seen else np.zeros(0, np.int32)

    def ranks(self, model: InterestModel) -> IntArray:
        """Return [queries] int32 the rank of each target, as in components.metrics.accuracy."""
        interests, scoring = self._interests(model), model.scoring_vectors().numpy()
        ranks = np.full(len(self.queries), MISS, np.int32)
        for start in range(0, len(ranks), self.batch_size):
            part = slice(start, start + self.batch_size)
            scores = interests[part] @ scoring.T
            for row, seen in zip(scores, self._seen[part] if self._seen else (), strict=False):
                row[seen] = SEEN
            ranks[part] = ranks_of(scores, self.queries.targets[part])
        return ranks

    def _interests(self, model: InterestModel) -> NDArray[np.float32]:
        """Return [queries, size + 1]; a history that a later one begins with is not encoded again."""
        vectors, lengths = model.item_vectors(), self.queries.lengths
        # Else it would be traced for the first shape, and again for any other.
        _interests_after.get_concrete_function(model, vectors, SIGNATURE, ROWS, ROWS)
        interests = np.zeros((len(self.queries), vectors.shape[1] + 1), np.float32)
        longest = distinct(self._longest)
        order = longest[np.argsort(lengths[longest], kind="stable")]
        for start in range(0, len(order), self.batch_size):
            rows = np.sort(order[start : start + self.batch_size])
            codes = self.queries.pad(rows, max(1, int(lengths[rows].max())))
            within = np.flatnonzero(np.isin(self._longest, rows))
            interests[within] = _interests_after(
                model,
                vectors,
                {name: tf.constant(part) for name, part in codes.items()},
                tf.constant(np.searchsorted(rows, self._longest[within]), tf.int32),
                tf.constant(lengths[within], tf.int32),
            )
        return interests


@tf.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
def _interests_after(
    model: InterestModel, vectors: tf.Tensor, codes: dict[str, tf.Tensor], rows: tf.Tensor, lengths: tf.Tensor
) -> tf.Tensor:
    return model.interests_after(vectors, codes, rows, lengths)


def _longest_histories(queries: Sequences) -> NDArray[np.int64]:
    """Return for each query the user's last one, in order of time, whose history begins with the query's."""
    longest = np.arange(len(queries))
    for query in range(len(queries) - 2, -1, -1):
        if queries.users[query] == queries.users[query + 1] and queries.begins_with(query + 1, query):
            longest[query] = longest[query + 1]
    return longest


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
