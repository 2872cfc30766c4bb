"""The reliability curve of predicted probabilities: how often what was predicted happened (DeGroot 1983)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

POINTS: Final = 10
_Z: Final = 1.96


def reliability(predicted: Floats, happened: Floats, cases: Floats) -> list[dict[str, float]]:
    """Return up to POINTS points, each with about as many expected events, by ascending probability.

    A point has the mean `predicted` probability, the `observed` share, its 95 % interval `low` to `high`
    (Wilson 1927), and the number of `cases`.

    Args:
        predicted: [n] probabilities.
        happened, cases: [n] numbers of events and of cases with this probability.
    """
    order = np.argsort(predicted, kind="stable")
    predicted, happened, cases = predicted[order], happened[order], cases[order]
    expected = np.cumsum(predicted * cases)
    if not len(expected) or not expected[-1]:
        return []
    group = np.minimum((POINTS * expected / expected[-1]).astype(np.int64), POINTS - 1)
    totals = [np.bincount(group, values, POINTS) for values in (predicted * cases, happened, cases)]
    return [_point(*values) for values in zip(*totals, strict=True) if values[2]]


def _point(expected: float, events: float, cases: float) -> dict[str, float]:
    share = events / cases
    middle = (share + _Z**2 / (2 * cases)) / (1 + _Z**2 / cases)
    margin = _Z / (1 + _Z**2 / cases) * np.sqrt(share * (1 - share) / cases + _Z**2 / (4 * cases**2))
    return {
        "predicted": float(expected / cases),
        "observed": float(share),
        "low": float(max(0.0, middle - margin)),
        "high": float(min(1.0, middle + margin)),
        "cases": float(cases),
    }
