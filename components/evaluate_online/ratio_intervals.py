"""Confidence intervals of ratios of sums over users, by a bootstrap that resamples users.

A user's answers are correlated, so users are drawn, not answers (Davison and Hinkley 1997; Deng, Knoblich and
Lu 2018).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES: Final = 1_000
_CHUNK: Final = 100


def ratio_intervals(numerators: Floats, denominators: Floats, seed: int = 7) -> tuple[Floats, Floats]:
    """Return the bounds (low [metrics], high [metrics]) of sum(numerators) / sum(denominators), 95 %.

    The arguments are those of `resampled_ratios`.
    """
    return bounds(resampled_ratios(numerators, denominators, seed))


def resampled_ratios(numerators: Floats, denominators: Floats, seed: int = 7) -> Floats:
    """Return sum(numerators) / sum(denominators) in each resample of the users [RESAMPLES, metrics].

    Args:
        numerators, denominators: [users, metrics] sums over each user's, or group of users', answers.

    NaN where a denominator is 0.
    """
    rng, users = np.random.default_rng(seed), len(numerators)
    ratios = []
    for _ in range(RESAMPLES // _CHUNK):
        drawn = rng.multinomial(users, np.full(users, 1 / users), size=_CHUNK).astype(np.float64)
        below = drawn @ denominators
        ratios.append(np.divide(drawn @ numerators, below, out=np.full(below.shape, np.nan), where=below > 0))
    return np.concatenate(ratios)


def bounds(resampled: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return the bounds (low [metrics], high [metrics]) of resampled values [resamples, metrics].

    NaN for a metric that no resample has.
    """
    found = np.full((2, resampled.shape[1]), np.nan)
    defined = ~np.isnan(resampled).all(axis=0)
    tail = (1 - level) / 2
    found[:, defined] = np.nanquantile(resampled[:, defined], [tail, 1 - tail], axis=0)
    return found[0], found[1]
