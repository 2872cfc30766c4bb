"""How far the scores of answered items fall without one of the user's recent items.

`interest`, `transitions`, `item_cosine`, `ease` and `als` are computed again without the item
(leave-one-out); the other parts of a score are not attributed to single items.
"""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.ranking.fold_in import falls_without_each
from serving.ranking.query import Query
from serving.ranking.signed_history import RECENT
from serving.ranking.source_scores import (
    LIKE_DECAY,
    NEXT_INTERACTIONS,
    exponential_weights,
    power_weights,
)
from serving.ranking.sparse_scores import submatrices
from serving.release.arrays import FloatArray, Indexes
from serving.release.ranking_data import Ranking

# The interest model is not asked again: its interest is taken for a mean of the history's embeddings, in
# which an interaction weighs this much of one that is newer by one.
_INTEREST_DECAY: Final = 0.85

# Feature -> what its falls need of the history alone: a cached property of _WithoutEach.
_NEEDED: Final = {
    "transitions": "nexts",
    "item_cosine": "likes",
    "ease": "likes",
    "als": "factors",
    "interest": "embeddings",
}

# Keeps a logarithm finite.
_TINY: Final = np.float32(1e-9)


@dataclass(frozen=True, eq=False)
class Influences:
    """The influence of recent items [r] on the scores of answered items [k].

    Attributes:
        recent: [r] distinct items, newest first.
        newest: [r] how many interactions are newer than the newest one with the item.
        total: [r, k] how far the score falls without the item: the sum of `falls`; negative: it rises. 0 for
            an answered item without itself.
        features: [f] the parts of the score that are computed again without each item.
        falls: [f, r, k] how far they fall.
    """

    recent: list[int]
    newest: list[int]
    total: FloatArray
    features: list[str]
    falls: FloatArray

    @classmethod
    def of(
        cls, query: Query, items: Indexes, weights: Mapping[str, float], log_transitions: FloatArray
    ) -> "Influences":
        """Compute the influences on `items` [k], distinct.

        Args:
            weights: of each feature that has one.
            log_transitions: [k] the feature `transitions` of `items`; not used if it has no weight.
        """
        without = _without_each(query)
        falls, rows = dict[str, FloatArray](), without.rows(weights, items)
        for name, weight in weights.items():
            match name:
                case "transitions":
                    fall = without.falls_of_transitions(rows[name], log_transitions)
                case "item_cosine":
                    fall = without.falls_of_mean(rows[name], query.item_cosine().at(items))
                case "ease" if (ease := query.ease()) is not None:
                    fall = without.falls_of_mean(rows[name], ease.at(items))
                case "als" if (factors := query.ranking.filters.als) is not None:
                    fall = without.factors @ factors.take(items, axis=0).T
                case "interest" if query.interest is not None:
                    fall = without.falls_of_interest(items, query.interest)
                case _:
                    continue
            falls[name] = np.float32(weight) * fall
        stacked = np.zeros((len(falls), len(without.recent), len(items)), np.float32)
        for row, fall in zip(stacked, falls.values(), strict=True):
            row[:] = fall
        total = stacked.sum(axis=0)
        total[without.recent[:, np.newaxis] == items] = 0  # an item is not a reason for itself
        return cls(without.recent.tolist(), without.newest, total, list(falls), stacked)

    @cached_property
    def strongest(self) -> dict[str, list[int]]:
        """Feature -> [k] position in `recent` of the item without which the whole score falls most, or -1.

        Only an item without which the feature falls, too. Without a feature that has the same value for all
        items, because the model did not answer.
        """
        fall = np.where(self.falls > 0, self.total, 0)
        strongest = np.where(fall.max(axis=1) > 0, fall.argmax(axis=1), -1).tolist()
        return dict(zip(self.features, strongest, strict=True))

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

    It depends on the history alone, and each part is computed on first use. Interactions that are too old to
    have a weight are left out, also those that would get a small one without an item.
    """

    ranking: Ranking
    recent: Indexes  # [r] distinct, newest first
    newest: list[int]  # [r] as in Influences
    history: Indexes  # [n] newest first
    votes: FloatArray  # [n]
    kept: NDArray[np.bool_]  # [1 + r, n] the interactions without each item; row 0: nothing is left out

    @classmethod
    def of(cls, query: Query) -> "_WithoutEach":
        count = len(exponential_weights(len(query.history)))
        history = query.history[::-1][:count]
        votes = np.ones(count, np.float32) if query.votes is None else query.votes[::-1][:count]
        newest: dict[int, int] = {}
        for position, item in enumerate(history[:RECENT].tolist()):
            newest.setdefault(item, position)
        kept = history != np.array([-1, *newest])[:, np.newaxis]
        recent = np.array(list(newest), np.int32)
        return cls(query.ranking, recent, list(newest.values()), history, votes, kept)

    @cached_property
    def likes(self) -> tuple[FloatArray, FloatArray]:
        """Weights [r, d] of the newest d interactions and [r, 1] of the mean of all, whose sum is the fall.

        Without an item, all interactions that are older than it get younger by one, so that their weights
        grow by one factor. So the mean stands for those that are older than each recent item.
        """
        weights = self._weights(exponential_weights(len(self.history))[::-1])
        newest = 1 + int(np.flatnonzero(~self.kept.all(axis=0))[-1])
        if newest == len(self.history):
            return _falls(weights), np.zeros((len(self.recent), 1), np.float32)
        growth = weights[1:, -1:] / weights[0, -1]
        return growth * weights[0, :newest] - weights[1:, :newest], 1 - growth

    @cached_property
    def nexts(self) -> FloatArray:
        """[1 + r, ≤ n] the weights of what the user chooses next; row 0: nothing is left out."""
        return self._weights(power_weights(len(self.history))[::-1])

    @cached_property
    def factors(self) -> FloatArray:
        """[r, factors] the falls of the user's factors of ALS."""
        assert self.ranking.filters.als is not None
        strengths = self.votes * LIKE_DECAY ** np.arange(len(self.history), dtype=np.float32)
        return falls_without_each(self.ranking.filters.als, self.history, strengths, self.recent)

    @cached_property
    def embeddings(self) -> tuple[FloatArray, FloatArray]:
        """The mean embedding [interest size - 1], without an item's bias, and its falls [r, …]."""
        weights = self._weights(_INTEREST_DECAY ** np.arange(len(self.history), dtype=np.float32))
        means: FloatArray = weights @ self.ranking.item_embeddings[self.history, :-1]
        return means[0], _falls(means)

    def rows(self, names: Collection[str], items: Indexes) -> dict[str, FloatArray]:
        """Return feature -> [≤ n, k] the rows of the newest interactions that its falls need, if any."""
        filters, likes = self.ranking.filters, self.likes[0].shape[1]
        by_feature = {
            "transitions": (filters.transitions, NEXT_INTERACTIONS),
            "item_cosine": (filters.item_cosine, likes),
            "ease": (filters.ease, likes),
        }
        parts = {
            name: (matrix, self.history[:count])
            for name, (matrix, count) in by_feature.items()
            if name in names and matrix is not None
        }
        return dict(zip(parts, submatrices(list(parts.values()), items), strict=True))

    def falls_of_mean(self, rows: FloatArray, mean: FloatArray) -> FloatArray:
        """Return [r, k] the falls of the weighted `mean` [k] of all rows; `rows`: the newest of them."""
        of_rows, of_mean = self.likes
        falls: FloatArray = of_rows @ rows + of_mean * mean
        return falls

    def falls_of_transitions(self, rows: FloatArray, log_transitions: FloatArray) -> FloatArray:
        """Return [r, k] the falls of log(probability of a transition + the share of popularity)."""
        probabilities = self.nexts @ rows
        by_popularity = np.maximum(np.exp(log_transitions) - probabilities[0], _TINY)
        return _falls(np.log(probabilities + by_popularity))

    def falls_of_interest(self, items: Indexes, interest: FloatArray) -> FloatArray:
        """Return [r, k] the falls of the log softmax, if the interest is a mean of the history's embeddings.

        The mean is scaled to the interest: to its projection on the mean. The softmax is that of the answered
        items: the embeddings of all candidates cost too much.
        """
        embeddings, (mean, without) = self.ranking.item_embeddings.take(items, axis=0), self.embeddings
        scale = float(interest[:-1] @ mean) / max(float(mean @ mean), 1e-9)
        logits = embeddings @ interest
        odds = np.exp(logits - logits.max())
        over_mean = embeddings[:, :-1] - odds @ embeddings[:, :-1] / odds.sum()
        falls: FloatArray = np.float32(max(scale, 0.0)) * (without @ over_mean.T)
        return falls

    def _weights(self, by_age: FloatArray) -> FloatArray:
        """Return [1 + r, len(by_age)] the weight of each interaction among those kept, with sum 1.

        Args:
            by_age: [≤ n] newest first.
        """
        kept = self.kept[:, : len(by_age)]
        ages = np.cumsum(kept, axis=1) - 1  # -1 before the first one that is kept, which has no weight
        weights: FloatArray = by_age[ages] * kept * self.votes[: len(by_age)]
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), _TINY)
        return weights


def prepare(query: Query, features: Set[str]) -> None:
    """Compute now what the influences on any items need of the query's history; `features`: with a weight."""
    without = _without_each(query)
    for name in features & _NEEDED.keys():
        if name != "als" or query.ranking.filters.als is not None:
            getattr(without, _NEEDED[name])


def _without_each(query: Query) -> _WithoutEach:
    return query.once("without_each", lambda: _WithoutEach.of(query))


def _falls(values: FloatArray) -> FloatArray:
    """Return row 0, with nothing left out, minus each other row [1 + r, …]."""
    falls: FloatArray = values[0] - values[1:]
    return falls
