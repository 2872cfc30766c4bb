"""Features of items for a query: the inputs of the blend."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from serving.ranking.query import Query
from serving.ranking.source_scores import USER_NEIGHBOURS
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
    "dislikes",
    "search",
)

# Keeps a logarithm finite; below the probability of any item in a catalog of a billion.
_MIN_PROBABILITY: Final = 1e-9

# The share of probability mass that sequence_knn gives to popularity, for items that no neighbour chose.
_POPULARITY_SHARE: Final = 0.3


class FeatureComputer:
    """Computes the features of items for a query; safe to share between threads."""

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking
        popularity = ranking.filters.popularity + 0.5
        self._popularity_share = popularity / max(float(popularity.sum()), 1.0)
        trend = ranking.filters.trend + 0.5
        self._log_popularity = np.log(self._popularity_share).astype(np.float32)
        self._log_trend = np.log(trend / max(float(trend.sum()), 1.0)).astype(np.float32)

    def compute(self, query: Query, items: Indexes, names: Sequence[str] = FEATURES) -> FloatArray:
        """Return features [names, m] float32 of `items` [m], unscaled."""
        features = np.empty((len(names), len(items)), np.float32)
        for row, name in enumerate(names):
            features[row] = _COMPUTE[name](self, query, items)
        return features

    def _interest(self, query: Query, items: Indexes) -> AnyFloatArray | float:
        """Return the log softmax over the items; 0 when the model did not answer."""
        if query.interest is None or not len(items):
            return 0.0
        logits = query.logits_of(items)
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

    def _dislikes(self, query: Query, items: Indexes) -> AnyFloatArray | float:
        likeness = query.likeness_to_disliked(items)
        return 0.0 if likeness is None else likeness

    def _search(self, query: Query, items: Indexes) -> AnyFloatArray | float:
        matches = query.search_matches()
        return 0.0 if matches is None else matches.at(items)


# Functions of the class, not bound methods: an object that holds its own bound methods is a reference cycle,
# and only the garbage collector, which skips releases, could free it.
_COMPUTE: Final[dict[str, Callable[[FeatureComputer, Query, Indexes], AnyFloatArray | float]]] = {
    name: getattr(FeatureComputer, f"_{name}") for name in FEATURES
}
