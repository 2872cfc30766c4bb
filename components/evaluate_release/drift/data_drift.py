"""Measures how far the distribution of the data moved between two versions: Jensen-Shannon distance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from serving.release.arrays import AnyFloatArray

# For small changes the population stability index is about 8 ln 2 times the square of this distance: the
# usual thresholds of that index, 0.1 and 0.25 (Siddiqi 2006), are these distances.
MODERATE: Final = 0.134
LARGE: Final = 0.212

# The largest changes of a mix are listed.
SHOWN: Final = 8


@dataclass(frozen=True)
class Change:
    """The shares of one name in the older and in the newer data."""

    name: str
    before: float
    after: float


@dataclass(frozen=True)
class MixDrift:
    """The distance of two mixes, 0 if they are equal and 1 if they have nothing in common."""

    distance: float
    level: str  # "small", "moderate" or "large"
    changes: list[Change]  # the largest ones first, at most SHOWN


def drift_of_mixes(before: Mapping[str, float], after: Mapping[str, float]) -> MixDrift | None:
    """Compare two mixes, name -> number of interactions; None if one of them is empty."""
    names = sorted(set(before) | set(after))
    if not sum(before.values()) or not sum(after.values()):
        return None
    older, newer = (np.array([mix.get(name, 0.0) for name in names]) for mix in (before, after))
    distance = js_distance(older, newer)
    older, newer = older / older.sum(), newer / newer.sum()
    order = np.argsort(-np.abs(newer - older), kind="stable")[:SHOWN]
    changes = [Change(names[n], float(older[n]), float(newer[n])) for n in order]
    return MixDrift(distance, level(distance), changes)


def js_distance(before: AnyFloatArray, after: AnyFloatArray) -> float:
    """Return the Jensen-Shannon distance to base 2 of two vectors of counts (Lin 1991), from 0 to 1."""
    from scipy.spatial.distance import jensenshannon  # takes long to import; only a live version needs it

    # Rounding can make the divergence of equal distributions negative, and its root not a number.
    return float(np.nan_to_num(jensenshannon(before, after, base=2)))


def level(distance: float) -> str:
    """Classify a distance by the thresholds MODERATE and LARGE."""
    return "large" if distance >= LARGE else "moderate" if distance >= MODERATE else "small"
