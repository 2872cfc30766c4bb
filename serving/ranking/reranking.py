"""Scores of candidates: a weighted sum of features, with the weights that the evaluation fitted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.ranking.query import Query
from serving.ranking.source_scores import USER_NEIGHBOURS
from serving.ranking.sparse_scores import is_dense
from serving.release.arrays import AnyFloatArray, FloatArray, Indexes
from serving.release.ranking_data import Ranking

FEATURES: Final = (
    "interest",
    "transitions",
    "item_cosine",
    "user_cosine",
    "ease",
    "als",
    "sequence_knn",
    "content",
    "popularity",
    "trend",
    "repeats",
)

# Keeps a logarithm finite; below the probability of any item in a catalog of a billion.
_MIN_PROBABILITY: Final = 1e-9

# The share of probability mass that sequence_knn gives to popularity, for items that no neighbour chose.
_POPULARITY_SHARE: Final = 0.3


@dataclass(frozen=True, eq=False)
class Scored:
    """Scored items [m] and the features that the scores consist of."""

    scores: FloatArray  # [m] higher is better, comparable within one query
    features: FloatArray  # [used, m]
    weights: FloatArray  # [used]
    means: FloatArray  # [used]
    used: NDArray[np.intp]  # [used] positions in FEATURES; all other features have weight 0

    def contributions(self, positions: NDArray[np.intp]) -> FloatArray:
        """Return what each feature adds to a score [positions, features]; a row sums to its item's score."""
        return self._contributions(self.features.take(positions, axis=1).T)

    def mean_contributions(self, weights: FloatArray) -> FloatArray:
        """Return the mean contribution [features] over the items, weighted by `weights` [m]."""
        return self._contributions(self.features @ weights / max(float(weights.sum()), 1.0))

    def _contributions(self, features: FloatArray) -> FloatArray:
        contributions = np.zeros((*features.shape[:-1], len(FEATURES)), np.float32)
        contributions[..., self.used] = (features - self.means) * self.weights
        return contributions


class Reranker:
    """Scores items for a query; safe to share between threads."""

    def __init__(self, ranking: Ranking) -> None:
        """With an empty blend, only `features` is useful.

        Raises:
            ValueError: the blend contains a feature that this version does not compute.
        """
        self._ranking, blend = ranking, ranking.blend
        unknown = sorted(set(blend.get("features", ())) - set(FEATURES))
        if unknown:
            raise ValueError(
                f"blend.json has the features {unknown}, expected some of {list(FEATURES)}: evaluate again"
            )
        weights = _by_feature(blend, "weights", 0.0) / _by_feature(blend, "scales", 1.0)
        self._used = np.flatnonzero(weights)
        self._weights, self._means = weights[self._used], _by_feature(blend, "means", 0.0)[self._used]
        self._offset = np.float32(np.dot(self._weights, self._means))
        popularity = ranking.filters.popularity + 0.5
        self._popularity_share = popularity / max(float(popularity.sum()), 1.0)
        trend = ranking.filters.trend + 0.5
        self._log_popularity = np.log(self._popularity_share).astype(np.float32)
        self._log_trend = np.log(trend / max(float(trend.sum()), 1.0)).astype(np.float32)

    def features(self, query: Query, items: Indexes) -> FloatArray:
        """Return all features [m, features] float32 of `items` [m], unscaled, in the order of FEATURES."""
        return self._features(query, items, FEATURES).T

    def scores(self, query: Query, items: Indexes) -> FloatArray:
        """Return the scores [m] float32 of `items` [m]; comparable within one query."""
        return self.score(query, items).scores

    def score(self, query: Query, items: Indexes) -> Scored:
        """Score `items` [m]; features without weight are not computed."""
        features = self._features(query, items, [FEATURES[position] for position in self._used])
        scores: FloatArray = np.dot(self._weights, features) - self._offset
        return Scored(scores, features, self._weights, self._means, self._used)

    def _features(self, query: Query, items: Indexes, names: Sequence[str]) -> FloatArray:
        features = np.empty((len(names), len(items)), np.float32)
        for row, name in enumerate(names):
            features[row] = _COMPUTE[name](self, query, items)
        return features

    def _interest(self, query: Query, items: Indexes) -> AnyFloatArray | float:
        """Return the log softmax over the items; 0 when the model did not answer."""
        if query.interest is None or not len(items):
            return 0.0
        embeddings = self._ranking.item_embeddings
        if is_dense(len(embeddings)):
            logits: FloatArray = query.logits().take(items)
        else:
            logits = embeddings[items] @ query.interest
        logits = logits - logits.max()
        log_softmax: AnyFloatArray = logits - np.log(np.exp(logits).sum())
        return log_softmax

    def _transitions(self, query: Query, items: Indexes) -> AnyFloatArray:
        """Return log P(item comes soon after the last interactions), by popularity for the remaining mass."""
        scores, remaining = query.transitions()
        probabilities = scores.at(items) + (remaining * self._popularity_share.take(items) + _MIN_PROBABILITY)
        log_probabilities: AnyFloatArray = np.log(probabilities)
        return log_probabilities

    def _item_cosine(self, query: Query, items: Indexes) -> AnyFloatArray:
        return query.item_cosine().at(items)

    def _user_cosine(self, query: Query, items: Indexes) -> AnyFloatArray:
        """Return the log of the score plus the share of one average neighbour, which keeps it finite."""
        log_scores: AnyFloatArray = np.log(query.user_cosine().at(items) + 1 / USER_NEIGHBOURS)
        return log_scores

    def _ease(self, query: Query, items: Indexes) -> AnyFloatArray | float:
        scores = query.ease()
        return 0.0 if scores is None else scores.at(items)

    def _als(self, query: Query, items: Indexes) -> AnyFloatArray | float:
        scores = query.als(items)
        return 0.0 if scores is None else scores

    def _sequence_knn(self, query: Query, items: Indexes) -> AnyFloatArray | float:
        """Return log P(chosen next by the neighbours), mixed with popularity."""
        scores = query.sequence_knn()
        if scores is None:
            return 0.0
        scale = (1 - _POPULARITY_SHARE) / max(scores.total, _MIN_PROBABILITY)
        popularity = _POPULARITY_SHARE * self._popularity_share.take(items)
        log_probabilities: AnyFloatArray = np.log(scores.at(items) * scale + popularity + _MIN_PROBABILITY)
        return log_probabilities

    def _content(self, query: Query, items: Indexes) -> AnyFloatArray:
        return query.content_cosine(items)

    def _popularity(self, _: Query, items: Indexes) -> AnyFloatArray:
        scores: AnyFloatArray = self._log_popularity.take(items)
        return scores

    def _trend(self, _: Query, items: Indexes) -> AnyFloatArray:
        scores: AnyFloatArray = self._log_trend.take(items)
        return scores

    def _repeats(self, query: Query, items: Indexes) -> AnyFloatArray:
        return query.repeats().at(items)


# Functions of the class, not bound methods: an object that holds its own bound methods is a reference cycle,
# and only the garbage collector, which skips releases, could free it.
_COMPUTE: Final[dict[str, Callable[[Reranker, Query, Indexes], AnyFloatArray | float]]] = {
    name: getattr(Reranker, f"_{name}") for name in FEATURES
}


def _by_feature(blend: dict[str, Any], key: str, default: float) -> FloatArray:
    """Return a list of the blend in the order of FEATURES, with `default` for missing features."""
    values = dict(zip(blend.get("features", ()), blend.get(key, ()), strict=False))
    return np.array([values.get(name, default) for name in FEATURES], np.float32)
