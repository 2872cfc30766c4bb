"""Scores of candidates: what each term says, blended by the weights that the validation part taught."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.ranking import signals
from serving.ranking.signals import Query
from serving.ranking.sparse_scores import is_dense
from serving.release.arrays import FloatArray, Indexes
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

# Keeps a logarithm finite; below any probability that a catalog of a billion items would give.
_FLOOR: Final = 1e-9

# Of what the neighbours say; the rest is left to popularity, for what none of them chose.
_UNHEARD: Final = 0.3

Scores = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Scored:
    """Items [m] weighed by the terms that count."""

    scores: FloatArray  # [m] higher is better, comparable within one query
    features: FloatArray  # [used, m]
    weights: FloatArray  # [used]
    means: FloatArray  # [used]
    used: NDArray[np.intp]  # [used] places in FEATURES, the other terms weigh nothing

    def contributions(self, places: NDArray[np.intp]) -> FloatArray:
        """[places, terms] what each term adds; a row sums to its item's score."""
        return self._spread(self.features.take(places, axis=1).T)

    def mean_contributions(self, weights: FloatArray) -> FloatArray:
        """[terms] the mean over items, weighed by `weights` [m]."""
        return self._spread(self.features @ weights / max(float(weights.sum()), 1.0))

    def _spread(self, features: FloatArray) -> FloatArray:
        contributions = np.zeros((*features.shape[:-1], len(FEATURES)), np.float32)
        contributions[..., self.used] = (features - self.means) * self.weights
        return contributions


class Reranker:
    """Scores items for a query; safe to share between threads."""

    def __init__(self, ranking: Ranking) -> None:
        """An empty blend gives features alone.

        Raises:
            ValueError: the blend names a term that this version does not compute.
        """
        self._ranking, blend = ranking, ranking.blend
        unknown = sorted(set(blend.get("features", ())) - set(FEATURES))
        if unknown:
            raise ValueError(
                f"blend.json has the terms {unknown}, expected some of {list(FEATURES)}: evaluate again"
            )
        weights = _by_feature(blend, "weights", 0.0) / _by_feature(blend, "scales", 1.0)
        self._used = np.flatnonzero(weights)
        self._weights, self._means = weights[self._used], _by_feature(blend, "means", 0.0)[self._used]
        self._offset = np.float32(np.dot(self._weights, self._means))
        share = ranking.filters.popularity + 0.5
        self._share = share / max(float(share.sum()), 1.0)
        trend = ranking.filters.trend + 0.5
        self._log_share = np.log(self._share).astype(np.float32)
        self._log_trend = np.log(trend / max(float(trend.sum()), 1.0)).astype(np.float32)

    def features(self, query: Query, items: Indexes) -> FloatArray:
        """[m, terms] float32, a column of FEATURES each, before any calibration."""
        return self._features(query, items, FEATURES).T

    def scores(self, query: Query, items: Indexes) -> FloatArray:
        """[m] float32, higher is better, comparable within one query."""
        return self.score(query, items).scores

    def score(self, query: Query, items: Indexes) -> Scored:
        """The scores, and what they are made of; terms of no weight aren't computed."""
        features = self._features(query, items, [FEATURES[place] for place in self._used])
        scores: FloatArray = np.dot(self._weights, features) - self._offset
        return Scored(scores, features, self._weights, self._means, self._used)

    def _features(self, query: Query, items: Indexes, terms: Sequence[str]) -> FloatArray:
        features = np.empty((len(terms), len(items)), np.float32)
        for row, term in enumerate(terms):
            features[row] = _COMPUTE[term](self, query, items)
        return features

    def _interest(self, query: Query, items: Indexes) -> Scores | float:
        """log softmax over the candidates; nothing when the model didn't answer."""
        if query.interest is None or not len(items):
            return 0.0
        embeddings = self._ranking.item_embeddings
        if is_dense(len(embeddings)):
            logits: FloatArray = signals.logits(self._ranking, query).take(items)
        else:
            logits = embeddings[items] @ query.interest
        logits = logits - logits.max()
        log_softmax: Scores = logits - np.log(np.exp(logits).sum())
        return log_softmax

    def _transitions(self, query: Query, items: Indexes) -> Scores:
        """log P(item comes soon after the last interactions); popularity alone without any."""
        votes, left = signals.transitions(self._ranking.filters, query)
        chances = votes.at(items) + (left * self._share.take(items) + _FLOOR)
        scores: Scores = np.log(chances)
        return scores

    def _item_cosine(self, query: Query, items: Indexes) -> Scores:
        return signals.item_cosine(self._ranking.filters, query).at(items)

    def _user_cosine(self, query: Query, items: Indexes) -> Scores:
        """log score, a vote of an average neighbour being added to each."""
        votes = signals.user_cosine(self._ranking.filters, query)
        scores: Scores = np.log(votes.at(items) + 1 / signals.NEIGHBOURS)
        return scores

    def _ease(self, query: Query, items: Indexes) -> Scores | float:
        votes = signals.ease(self._ranking.filters, query)
        return 0.0 if votes is None else votes.at(items)

    def _als(self, query: Query, items: Indexes) -> Scores | float:
        scores = signals.als(self._ranking.filters, query, items)
        return 0.0 if scores is None else scores

    def _sequence_knn(self, query: Query, items: Indexes) -> Scores | float:
        """log P(chosen next by the neighbours), where a part of each answer is left to popularity."""
        votes = signals.sequence_knn(self._ranking.filters, query)
        if votes is None:
            return 0.0
        heard = (1 - _UNHEARD) / max(votes.total, _FLOOR)
        scores: Scores = np.log(votes.at(items) * heard + _UNHEARD * self._share.take(items) + _FLOOR)
        return scores

    def _content(self, query: Query, items: Indexes) -> Scores:
        """Cosine of an item's categories with the history's."""
        return signals.content_cosine(self._ranking.catalog.content, query, items)

    def _popularity(self, _: Query, items: Indexes) -> Scores:
        scores: Scores = self._log_share.take(items)
        return scores

    def _trend(self, _: Query, items: Indexes) -> Scores:
        scores: Scores = self._log_trend.take(items)
        return scores

    def _repeats(self, query: Query, items: Indexes) -> Scores:
        return signals.repeats(query, len(self._ranking.catalog)).at(items)


# Of the class: bound methods kept by their own object would be a cycle, and a release that was live would
# wait for the collector, which is kept off releases.
_COMPUTE: Final[dict[str, Callable[[Reranker, Query, Indexes], Scores | float]]] = {
    term: getattr(Reranker, f"_{term}") for term in FEATURES
}


def _by_feature(blend: dict[str, Any], name: str, default: float) -> FloatArray:
    """A list of the blend in the order of FEATURES, `default` for what it lacks."""
    values = dict(zip(blend.get("features", ()), blend.get(name, ()), strict=False))
    return np.array([values.get(term, default) for term in FEATURES], np.float32)
