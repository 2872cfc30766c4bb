"""NDCG@10 of the next item, ranked among all items: what early stopping watches."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.train_interest_model.model import InterestModel
from components.train_interest_model.sequences import Sequences

FloatArray = NDArray[np.float32]

SEEN = -np.inf


def rank_targets(scores: FloatArray, targets: NDArray[np.int32]) -> NDArray[np.int64]:
    """[queries, items] and [queries] -> [queries] 0 for the best; a tie counts against the target."""
    wanted = scores[np.arange(len(targets)), targets]
    ranks: NDArray[np.int64] = (scores >= wanted[:, None]).sum(axis=1) - 1
    return np.where(np.isneginf(wanted), scores.shape[1], ranks)


def ndcg_at_k(ranks: NDArray[np.int64], k: int = 10) -> float:
    """Of one relevant item a query: 1 / log2(rank + 2) within the first k."""
    return float(np.where(ranks < k, 1 / np.log2(ranks + 2.0), 0).mean()) if len(ranks) else 0.0


def hit_rate_at_k(ranks: NDArray[np.int64], k: int = 10) -> float:
    return float((ranks < k).mean()) if len(ranks) else 0.0


class Validation:
    """Queries, and what each user has seen, ready to be ranked again and again."""

    def __init__(self, queries: Sequences, seen: Sequences | None, batch_size: int = 128) -> None:
        """`seen`: windows whose items are filtered beside the query's own history; None filters nothing."""
        self.queries = queries
        self.batch_size = batch_size
        self._seen = _seen_items(queries, seen) if seen is not None else None

    def ranks(self, model: InterestModel) -> NDArray[np.int64]:
        """[queries] rank of each target; a target outside the catalog ranks last."""
        vectors, scoring = model.item_vectors(), model.scoring_vectors().numpy()
        ranks = np.full(len(self.queries), len(scoring), np.int64)
        order = np.argsort(self.queries.lengths, kind="stable")
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            width = max(1, int(self.queries.lengths[rows].max()))
            codes = {name: tf.constant(part) for name, part in self.queries.pad(rows, width).items()}
            scores = _last_interests(model, vectors, codes).numpy() @ scoring.T
            for row, query in enumerate(rows if self._seen else ()):
                scores[row, self._seen[query]] = SEEN  # type: ignore[index]
            known = self.queries.targets[rows] >= 0
            ranks[rows[known]] = rank_targets(scores[known], self.queries.targets[rows[known]])
        return ranks


@tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
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
        seen.append(np.unique(np.concatenate(parts)))
    return seen
