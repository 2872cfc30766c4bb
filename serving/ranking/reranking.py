"""Scores of candidates: a weighted sum of features, with the weights that the evaluation fitted."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.ranking.blend_features import FEATURES, FeatureComputer
from serving.ranking.dislikes import DISLIKE_WEIGHT
from serving.ranking.query import Query
from serving.ranking.search_matches import SEARCH_WEIGHT
from serving.release.arrays import FloatArray, Indexes
from serving.release.ranking_data import Ranking

_DISLIKES: Final = FEATURES.index("dislikes")
_SEARCH: Final = FEATURES.index("search")


@dataclass(frozen=True, eq=False)
class Scored:
    """Scored items [m] and the features that the scores consist of."""

    scores: FloatArray  # [m] higher is better, comparable within one query
    features: FloatArray  # [used, m]
    weights: FloatArray  # [used]
    means: FloatArray  # [used]
    used: NDArray[np.intp]  # [used] positions in FEATURES; all other features have weight 0

    def without_dislikes(self) -> FloatArray:
        """Return the scores [m] without the contribution of dislikes."""
        row = np.flatnonzero(self.used == _DISLIKES)
        if not len(row):
            return self.scores
        without: FloatArray = self.scores - self.weights[row[0]] * self.features[row[0]]
        return without

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


@dataclass(frozen=True, eq=False)
class _Blend:
    """The features that have a weight."""

    names: list[str]  # [used]
    weights: FloatArray  # [used]
    means: FloatArray  # [used]
    used: NDArray[np.intp]  # [used] positions in FEATURES
    offset: np.float32

    @classmethod
    def of(cls, weights: FloatArray, means: FloatArray) -> "_Blend":
        """Build from the weights and means of all FEATURES."""
        used = np.flatnonzero(weights)
        names = [FEATURES[position] for position in used]
        return cls(names, weights[used], means[used], used, np.float32(np.dot(weights[used], means[used])))


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
        means = _by_feature(blend, "means", 0.0)
        # The evaluation can only strengthen the effect of dislikes, and searches have a weight of their own,
        # since few held-out users search. Both features are 0 for a user without dislikes or searches.
        weights[_DISLIKES], means[_DISLIKES] = min(weights[_DISLIKES], DISLIKE_WEIGHT), 0
        weights[_SEARCH], means[_SEARCH] = SEARCH_WEIGHT, 0
        # Feature -> weight of its unscaled values, for a user with dislikes and searches; no 0.
        self.weights = {name: float(weight) for name, weight in zip(FEATURES, weights, strict=True) if weight}
        self._blends: dict[tuple[bool, bool], _Blend] = {}
        for has_dislikes, has_searches in product((False, True), repeat=2):
            present = weights.copy()
            present[_DISLIKES] *= has_dislikes
            present[_SEARCH] *= has_searches
            self._blends[has_dislikes, has_searches] = _Blend.of(present, means)
        self._features = FeatureComputer(ranking)

    def features(self, query: Query, items: Indexes, names: Sequence[str] = FEATURES) -> FloatArray:
        """Return the features [m, names] float32 of `items` [m], unscaled."""
        return self._features.compute(query, items, names).T

    def scores(self, query: Query, items: Indexes) -> FloatArray:
        """Return the scores [m] float32 of `items` [m]; comparable within one query."""
        return self.score(query, items).scores

    def score(self, query: Query, items: Indexes) -> Scored:
        """Score `items` [m]; a feature without weight, or that is 0 for this user, is not computed."""
        blend = self._blends[query.dislikes is not None, query.searches is not None]
        features = self._features.compute(query, items, blend.names)
        scores: FloatArray = np.dot(blend.weights, features) - blend.offset
        return Scored(scores, features, blend.weights, blend.means, blend.used)


def _by_feature(blend: dict[str, Any], key: str, default: float) -> FloatArray:
    """Return a list of the blend in the order of FEATURES, with `default` for missing features."""
    values = dict(zip(blend.get("features", ()), blend.get(key, ()), strict=False))
    return np.array([values.get(name, default) for name in FEATURES], np.float32)
