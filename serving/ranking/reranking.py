"""Scores of candidates: a weighted sum of features, with the weights that the evaluation fitted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.ranking.blend_features import FEATURES, FeatureComputer
from serving.ranking.query import Query
from serving.release.arrays import FloatArray, Indexes
from serving.release.ranking_data import Ranking


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
        blend = ranking.blend
        unknown = sorted(set(blend.get("features", ())) - set(FEATURES))
        if unknown:
            raise ValueError(
                f"blend.json has the features {unknown}, expected some of {list(FEATURES)}: evaluate again"
            )
        weights = _by_feature(blend, "weights", 0.0) / _by_feature(blend, "scales", 1.0)
        self._used = np.flatnonzero(weights)
        self._used_names = [FEATURES[position] for position in self._used]
        self._weights, self._means = weights[self._used], _by_feature(blend, "means", 0.0)[self._used]
        self._offset = np.float32(np.dot(self._weights, self._means))
        self._features = FeatureComputer(ranking)

    def features(self, query: Query, items: Indexes) -> FloatArray:
        """Return all features [m, features] float32 of `items` [m], unscaled, in the order of FEATURES."""
        return self._features.compute(query, items).T

    def scores(self, query: Query, items: Indexes) -> FloatArray:
        """Return the scores [m] float32 of `items` [m]; comparable within one query."""
        return self.score(query, items).scores

    def score(self, query: Query, items: Indexes) -> Scored:
        """Score `items` [m]; features without weight are not computed."""
        features = self._features.compute(query, items, self._used_names)
        scores: FloatArray = np.dot(self._weights, features) - self._offset
        return Scored(scores, features, self._weights, self._means, self._used)


def _by_feature(blend: dict[str, Any], key: str, default: float) -> FloatArray:
    """Return a list of the blend in the order of FEATURES, with `default` for missing features."""
    values = dict(zip(blend.get("features", ()), blend.get(key, ()), strict=False))
    return np.array([values.get(name, default) for name in FEATURES], np.float32)
