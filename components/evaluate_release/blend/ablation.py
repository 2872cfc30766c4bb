"""What each feature of the blend is worth: the accuracy of the held-out choices without it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from components.metrics.accuracy import MISS, hit_rate, ndcg
from serving.release.arrays import FloatArray

MAX_QUERIES: Final = 1_000


def ablate(
    features: Sequence[FloatArray], targets: Sequence[int], blend: Mapping[str, Any]
) -> dict[str, Any]:
    """Rank the candidates with the whole blend, and without each feature that has a weight.

    The other weights stay as they are: it is measured what this blend owes to a feature, not what another
    blend could do without it. Dislikes and searches count as in the blend, without serving's
    constants.

    Args:
        features, targets: as of fit_blend, sorted by user; at most MAX_QUERIES at equal distances are used.
        blend: blend.json.

    Returns:
        `queries`, `ndcg_at_10`, `hr_at_10`, and `without`: feature -> the same two, the largest fall of
        NDCG@10 first.
    """
    weights = np.asarray(blend["weights"]) / np.asarray(blend["scales"])
    used = np.flatnonzero(weights)
    each = np.tile(weights, (1 + len(used), 1))
    each[np.arange(1, 1 + len(used)), used] = 0
    rows = list(zip(features, targets, strict=True))
    rows = rows[:: math.ceil(len(rows) / MAX_QUERIES) or 1]
    if not rows:
        return {"queries": 0, "without": {}}
    ranks = np.stack([_ranks(row, target, each) for row, target in rows], axis=1)
    whole, *others = (
        {"ndcg_at_10": float(ndcg(own, 10).mean()), "hr_at_10": float(hit_rate(own, 10).mean())}
        for own in ranks
    )
    without = {blend["features"][feature]: found for feature, found in zip(used, others, strict=True)}
    ordered = dict(sorted(without.items(), key=lambda pair: pair[1]["ndcg_at_10"]))
    return {"queries": len(rows), **whole, "without": ordered}


def _ranks(features: FloatArray, target: int, weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return [blends] the rank of the target under each of `weights` [blends, features]; ties rank before."""
    if target < 0:
        return np.full(len(weights), MISS)
    scores = weights @ features.T
    return np.asarray(np.count_nonzero(scores >= scores[:, [target]], axis=1))
