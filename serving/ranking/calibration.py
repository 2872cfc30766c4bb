"""Calibration of scores to the probability that a user chooses an item."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.release.arrays import FloatArray

MAX_LOGIT: Final = 25.0


def softmax_log_odds(scores: FloatArray) -> NDArray[np.float64]:
    """Return the log odds [m] of the softmax of a query's scores [m], clipped to ± MAX_LOGIT.

    They are comparable between queries; the scores are not.
    """
    odds = np.exp((scores - scores.max(initial=-np.inf)).astype(np.float64))
    others = np.maximum(odds.sum() - odds, np.exp(-MAX_LOGIT))
    logits: NDArray[np.float64] = np.log(np.maximum(odds, np.exp(-2 * MAX_LOGIT)) / others)
    return np.clip(logits, -MAX_LOGIT, MAX_LOGIT)


def click_probabilities(scores: FloatArray, blend: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the probability [m] that each of a query's candidates is chosen next.

    evaluate_release fits the logistic function on clicks, or on held-out choices where there are few; a
    release without it uses the softmax.

    Args:
        scores: [m] of all candidates of the query.
    """
    calibration = blend.get("calibration", {"slope": 1.0, "intercept": 0.0})
    logits = calibration["slope"] * softmax_log_odds(scores) + calibration["intercept"]
    probabilities: NDArray[np.float64] = 1 / (1 + np.exp(-logits))
    return probabilities
