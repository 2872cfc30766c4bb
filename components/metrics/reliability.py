"""How reliable predicted probabilities are: whether what was predicted happened as often.

The reliability curve is that of DeGroot 1983, the expected calibration error that of Naeini, Cooper and
Hauskrecht 2015.
"""

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


def expected_calibration_error(points: list[dict[str, float]]) -> float:
    """Return the mean of |observed − predicted| over the cases of a reliability curve; 0 without points."""
    cases = sum(point["cases"] for point in points)
    return sum(point["cases"] * abs(point["observed"] - point["predicted"]) for point in points) / max(
        cases, 1
    )


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
