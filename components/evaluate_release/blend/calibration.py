"""Calibrates scores to click probabilities: a logistic curve over the log odds of the softmax share.

Platt 1999, "Probabilistic outputs for support vector machines". The log odds are counted in bins, so the cost
of a fit does not grow with the number of candidates.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from components.metrics.reliability import expected_calibration_error, reliability
from serving.ranking.calibration import MAX_LOGIT, softmax_log_odds
from serving.ranking.top_k import best_positions
from serving.release.arrays import FloatArray

# Bins of the log odds.
EDGES: Final = np.linspace(-MAX_LOGIT, MAX_LOGIT, 2001)

# Candidates of a query over which the calibration error is stated.
FIRST: Final = 10

Counts = NDArray[np.float64]


def fit_calibration(queries: Iterable[tuple[FloatArray, int]]) -> dict[str, Any]:
    """Return slope and intercept: log odds of being chosen = slope · log odds of the share + intercept.

    `learned_from` is "choices". Both halves of the queries are predicted by a fit on the other half:
    `reliability` has the curve over all candidates, and `expected_calibration_error` its error over the
    first FIRST candidates of each query, where probabilities are large enough to be wrong.

    Args:
        queries: the scores [m] of all candidates of a query, and the position of the chosen one.
    """
    candidates, chosen, first, first_chosen = np.zeros((4, 2, len(EDGES)))
    for number, (scores, target) in enumerate(queries):
        half = number % 2
        bins = np.clip(np.searchsorted(EDGES, softmax_log_odds(scores)), 0, len(EDGES) - 1)
        candidates[half] += np.bincount(bins, minlength=len(EDGES))
        chosen[half, bins[target]] += 1
        shown = best_positions(scores, FIRST)
        first[half] += np.bincount(bins[shown], minlength=len(EDGES))
        first_chosen[half, bins[target]] += target in shown
    slope, intercept = _fit(candidates.sum(axis=0), chosen.sum(axis=0))
    predicted = np.stack([_probabilities(*_fit(candidates[half], chosen[half])) for half in (1, 0)])
    all_points, first_points = (
        reliability(predicted.ravel(), happened.ravel(), cases.ravel())
        for happened, cases in ((chosen, candidates), (first_chosen, first))
    )
    return {
        "slope": slope,
        "intercept": intercept,
        "learned_from": "choices",
        "reliability": all_points,
        "expected_calibration_error": expected_calibration_error(first_points),
    }


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
