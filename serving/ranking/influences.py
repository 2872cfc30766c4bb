"""How far the scores of answered items fall without one of the user's recent items.

`interest`, `transitions`, `item_cosine`, `ease` and `als` are computed again without the item
(leave-one-out); the other parts of a score are not attributed to single items.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from serving.ranking.fold_in import falls_without_each
from serving.ranking.query import Query
from serving.ranking.signed_history import RECENT
from serving.ranking.source_scores import LIKE_DECAY, exponential_weights, power_weights
from serving.ranking.sparse_scores import submatrix
from serving.release.arrays import FloatArray, Indexes

# The interest model is not asked again: its interest is taken for a mean of the history's embeddings, in
# which an interaction weighs this much of one that is newer by one.
_INTEREST_DECAY: Final = 0.85

# Keeps a logarithm finite.
_TINY: Final = np.float32(1e-9)


@dataclass(frozen=True, eq=False)
class Influences:
    """The influence of recent items [r] on the scores of answered items [k].

    Attributes:
        recent: [r] distinct items, newest first.
        newest: [r] how many interactions are newer than the newest one with the item.
        falls: feature -> [r, k] how far its part of the score falls without the item; negative: it rises.
        total: [r, k] sum of all falls; 0 for an answered item without itself.
    """

    recent: list[int]
    newest: list[int]
    falls: dict[str, FloatArray]
    total: FloatArray

    @classmethod
    def of(
        cls, query: Query, items: Indexes, weights: Mapping[str, float], log_transitions: FloatArray
    ) -> "Influences":
        """Compute the influences on `items` [k], distinct.

        Args:
            weights: of each feature that has one.
            log_transitions: [k] the feature `transitions` of `items`; not used if it has no weight.
        """
        without = query.once("without_each", lambda: _WithoutEach.of(query))
        filters = query.ranking.filters
        falls = dict[str, FloatArray]()
        for name, weight in weights.items():
            match name:
                case "transitions":
                    fall = without.falls_of_transitions(filters.transitions, items, log_transitions)
                case "item_cosine":
                    fall = without.falls_of_mean(filters.item_cosine, items)
                case "ease" if filters.ease is not None:
                    fall = without.falls_of_mean(filters.ease, items)
                case "als" if filters.als is not None:
                    fall = without.als @ filters.als.take(items, axis=0).T
                case "interest" if query.interest is not None:
                    embeddings = query.ranking.item_embeddings.take(items, axis=0)
                    fall = without.falls_of_interest(query.interest, embeddings)
                case _:
                    continue
            falls[name] = np.float32(weight) * fall
        total = np.zeros((len(without.recent), len(items)), np.float32)
        for fall in falls.values():
            total += fall
        total[without.recent[:, np.newaxis] == items] = 0  # an item is not a reason for itself
        return cls(without.recent.tolist(), without.newest, falls, total)

    def strongest(self, feature: str) -> list[int]:
        """Return [k] the position in `recent` of the item without which the whole score falls most, or -1.

        Only an item without which the feature falls, too.
        """
        if feature not in self.falls:  # it has the same value for all items: the model did not answer
            return [-1] * self.total.shape[1]
        fall = np.where(self.falls[feature] > 0, self.total, 0)
        strongest: list[int] = np.where(fall.max(axis=0) > 0, fall.argmax(axis=0), -1).tolist()
        return strongest

    def strongest_items(self, count: int) -> list[list[int]]:
        """Return [k] lists of at most `count` items without which the score falls, the largest fall first."""
        order = np.argsort(-self.total, axis=0, kind="stable")[:count]
        return [
            [self.recent[position] for position in column if self.total[position, item] > 0]
            for item, column in enumerate(order.T.tolist())
        ]


@dataclass(frozen=True, eq=False)
class _WithoutEach:
    """What the scores of a history are computed from, without each of its recent items [r].

    It depends on the history alone. Interactions that are too old to have a weight are left out, also those
    that would get a small one without an item.
    """

    recent: Indexes  # [r] distinct, newest first
    newest: list[int]  # [r] as in Influences
    history: Indexes  # [n] newest first
    likes: FloatArray  # [r, n] the falls of the weights of what the user likes
    nexts: FloatArray  # [1 + r, ≤ n] the weights of what the user chooses next; row 0: nothing is left out
    als: FloatArray  # [r, factors] the falls of the user's factors; no factors in a release without ALS
    mean_embedding: FloatArray  # [interest size - 1] without the last column, an item's bias
    embeddings: FloatArray  # [r, interest size - 1] the falls of the mean embedding

    @classmethod
    def of(cls, query: Query) -> "_WithoutEach":
        likes, nexts = (weights(len(query.history))[::-1] for weights in (exponential_weights, power_weights))
        count = len(likes)
        history = query.history[::-1][:count]
        votes = np.ones(count, np.float32) if query.votes is None else query.votes[::-1][:count]
        newest: dict[int, int] = {}
        for position, item in enumerate(history[:RECENT].tolist()):
            newest.setdefault(item, position)
        kept = history != np.array([-1, *newest])[:, np.newaxis]
        recent = np.array(list(newest), np.int32)
        factors = query.ranking.filters.als
        strengths = LIKE_DECAY ** np.arange(count, dtype=np.float32)
        means = _weights(kept, votes, _INTEREST_DECAY ** np.arange(count, dtype=np.float32))
        mean_embeddings = means @ query.ranking.item_embeddings[history, :-1]
        return cls(
            recent=recent,
            newest=list(newest.values()),
            history=history,
            likes=_falls(_weights(kept, votes, likes)),
            nexts=_weights(kept, votes, nexts),
            als=np.zeros((len(recent), 0), np.float32)
            if factors is None
            else falls_without_each(factors, history, strengths * votes, recent),
            mean_embedding=mean_embeddings[0].copy(),
            embeddings=_falls(mean_embeddings),
        )

    def falls_of_mean(self, matrix: csr_array, items: Indexes) -> FloatArray:
        """Return [r, k] the falls of the mean of the history's rows of `matrix`."""
        return self.likes @ submatrix(matrix, self.history, items)

    def falls_of_transitions(
        self, transitions: csr_array, items: Indexes, log_transitions: FloatArray
    ) -> FloatArray:
        """Return [r, k] the falls of log(probability of a transition + the share of popularity)."""
        history = self.history[: self.nexts.shape[1]]
        probabilities = self.nexts @ submatrix(transitions, history, items)
        by_popularity = np.maximum(np.exp(log_transitions) - probabilities[0], _TINY)
        return _falls(np.log(probabilities + by_popularity))

    def falls_of_interest(self, interest: FloatArray, embeddings: FloatArray) -> FloatArray:
        """Return [r, k] the falls of the log softmax, if the interest is a mean of the history's embeddings.

        The mean is scaled to the interest: to its projection on the mean. The softmax is that of the answered
        items: the embeddings of all candidates cost too much.

        Args:
            embeddings: [k, interest size] of the answered items.
        """
        mean = self.mean_embedding
        scale = float(interest[:-1] @ mean) / max(float(mean @ mean), 1e-9)
        logits = embeddings @ interest
        odds = np.exp(logits - logits.max())
        over_mean = embeddings[:, :-1] - odds @ embeddings[:, :-1] / odds.sum()
        falls: FloatArray = np.float32(max(scale, 0.0)) * (self.embeddings @ over_mean.T)
        return falls


def _weights(kept: NDArray[np.bool_], votes: FloatArray, by_age: FloatArray) -> FloatArray:
    """Return [1 + r, len(by_age)] the weight of each interaction among those kept, with sum 1.

    Args:
        kept: [1 + r, n] newest first.
        votes: [n]
        by_age: [≤ n] newest first.
    """
    kept = kept[:, : len(by_age)]
    ages = np.cumsum(kept, axis=1) - 1  # -1 before the first one that is kept, which has no weight
    weights: FloatArray = by_age[ages] * kept * votes[: len(by_age)]
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), _TINY)
    return weights


def _falls(values: FloatArray) -> FloatArray:
    """Return row 0, with nothing left out, minus each other row [1 + r, …]."""
    falls: FloatArray = values[0] - values[1:]
    return falls
