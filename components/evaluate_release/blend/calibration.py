"""Calibrates scores to click probabilities: a logistic curve over the log odds of the softmax share.

Platt 1999, "Probabilistic outputs for support vector machines". The log odds are counted in bins, so the cost
of a fit does not grow with the number of candidates.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from components.evaluate_release.blend.reliability import reliability
from serving.ranking.calibration import MAX_LOGIT, softmax_log_odds
from serving.release.arrays import FloatArray

# Bins of the log odds.
EDGES: Final = np.linspace(-MAX_LOGIT, MAX_LOGIT, 2001)

Counts = NDArray[np.float64]


def fit_calibration(queries: Iterable[tuple[FloatArray, int]]) -> dict[str, Any]:
    """Return slope and intercept: log odds of being chosen = slope · log odds of the share + intercept.

    `reliability` has the curve of both halves of the queries, each predicted by a fit on the other half;
    `learned_from` is "choices".

    Args:
        queries: the scores [m] of all candidates of a query, and the position of the chosen one.
    """
    candidates, chosen = np.zeros((2, len(EDGES))), np.zeros((2, len(EDGES)))
    for number, (scores, target) in enumerate(queries):
        bins = np.clip(np.searchsorted(EDGES, softmax_log_odds(scores)), 0, len(EDGES) - 1)
        candidates[number % 2] += np.bincount(bins, minlength=len(EDGES))
        chosen[number % 2][bins[target]] += 1
    slope, intercept = _fit(candidates.sum(axis=0), chosen.sum(axis=0))
    predicted = np.stack([_probabilities(*_fit(candidates[half], chosen[half])) for half in (1, 0)])
    curve = reliability(predicted.ravel(), chosen.ravel(), candidates.ravel())
    return {"slope": slope, "intercept": intercept, "learned_from": "choices", "reliability": curve}


def _fit(candidates: Counts, chosen: Counts) -> tuple[float, float]:
    slope, intercept = minimize(_loss, (1.0, 0.0), (candidates, chosen), jac=True, method="L-BFGS-B").x
    return float(slope), float(intercept)


def _probabilities(slope: float, intercept: float) -> Counts:
    return np.asarray(1 / (1 + np.exp(-(slope * EDGES + intercept))))


def _loss(curve: Counts, candidates: Counts, chosen: Counts) -> tuple[float, Counts]:
    """Return the negative log likelihood per choice, and its gradient by (slope, intercept)."""
    logits = curve[0] * EDGES + curve[1]
    loss = (candidates * np.logaddexp(0, logits) - chosen * logits).sum()
    residual = candidates / (1 + np.exp(-logits)) - chosen
    gradient = np.array([(residual * EDGES).sum(), residual.sum()])
    total = max(float(chosen.sum()), 1.0)
    return float(loss) / total, gradient / total
