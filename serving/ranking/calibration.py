"""From scores to the probability that a user chooses an item: what a bid is multiplied by."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.release.arrays import FloatArray

LARGEST: Final = 25.0


def share_logits(scores: FloatArray) -> NDArray[np.float64]:
    """[m] log odds of the softmax of a query's scores [m], within ± LARGEST.

    They compare between queries, as the scores do not.
    """
    odds = np.exp((scores - scores.max(initial=-np.inf)).astype(np.float64))
    others = np.maximum(odds.sum() - odds, np.exp(-LARGEST))
    logits: NDArray[np.float64] = np.log(np.maximum(odds, np.exp(-2 * LARGEST)) / others)
    return np.clip(logits, -LARGEST, LARGEST)


def click_probabilities(scores: FloatArray, blend: Mapping[str, Any]) -> NDArray[np.float64]:
    """[m] the probability that each of a query's candidates is chosen next; `scores` [m] of all of them.

    The logistic was fitted by evaluate_release on held-out choices; a release without one takes the share.
    """
    calibration = blend.get("calibration", {"slope": 1.0, "intercept": 0.0})
    logits = calibration["slope"] * share_logits(scores) + calibration["intercept"]
    probabilities: NDArray[np.float64] = 1 / (1 + np.exp(-logits))
    return probabilities
