"""Confidence intervals and a paired test for means over queries, resampled by user.

Queries of one user are correlated, so users are drawn, not queries (Davison & Hinkley 1997).
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.release.arrays import AnyFloatArray

IntArray = NDArray[np.integer[Any]]

CHUNK: Final = 100  # resamples held in memory at once

# With fewer users there is no interval: a bootstrap's would be too narrow (Davison & Hinkley 1997, chapter
# 5), and that of one user has no width at all.
MIN_USERS: Final = 30


def bootstrap_means(
    values: AnyFloatArray, users: IntArray, seed: int, resamples: int = 1000
) -> AnyFloatArray:
    """Return the mean over queries of each metric in each resample of the users.

    Args:
        values: [queries, metrics]; NaN where a metric is undefined for a query.
        users: [queries] int, the number of the query's user, from 0.

    Returns:
        [resamples, metrics] float64. The same `users` and `seed` draw the same resamples.
    """
    defined = ~np.isnan(values)
    sums = _by_user(np.where(defined, values, 0.0), users)
    counts = _by_user(defined.astype(np.float64), users)
    rng, means = np.random.default_rng(seed), []
    for start in range(0, resamples, CHUNK):
        drawn = rng.integers(len(sums), size=(min(CHUNK, resamples - start), len(sums)))
        times = np.stack([np.bincount(row, minlength=len(sums)) for row in drawn]).astype(np.float64)
        total = times @ counts
        means.append(np.divide(times @ sums, total, out=np.full(total.shape, np.nan), where=total > 0))
    return np.concatenate(means)


def intervals(
    values: AnyFloatArray, users: IntArray, seed: int, resamples: int = 1000, level: float = 0.95
) -> AnyFloatArray:
    """Return [2, metrics] the low and high bound of each mean, NaN with fewer than MIN_USERS users.

    The arguments are those of `bootstrap_means`.
    """
    if len(np.unique(users)) < MIN_USERS:
        return np.full((2, values.shape[1]), np.nan)
    means = bootstrap_means(values, users, seed, resamples)
    tail = (1 - level) / 2
    empty = np.isnan(means).all(axis=0)
    bounds = np.full((2, means.shape[1]), np.nan)
    bounds[:, ~empty] = np.nanquantile(means[:, ~empty], [tail, 1 - tail], axis=0)
    return bounds


def difference_interval(
    ours: AnyFloatArray, theirs: AnyFloatArray, users: IntArray, seed: int
) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean of ours − theirs [queries]; None below MIN_USERS users."""
    low, high = intervals((ours - theirs)[:, np.newaxis], users, seed)[:, 0]
    return None if np.isnan(low) else (float(low), float(high))


def paired_p_values(
    ours: AnyFloatArray, theirs: AnyFloatArray, users: IntArray, seed: int, resamples: int = 2000
) -> AnyFloatArray:
    """Compute Fisher's two-sided randomisation test per user (Smucker, Allan & Carterette 2007).

    Args:
        ours, theirs: [queries, metrics] values of two models on the same queries.
        users: [queries] int, the number of the query's user, from 0.

    Returns:
        [metrics] the probability of a mean difference at least this large between equal models.
    """
    differences = _by_user(ours - theirs, users)
    observed = np.abs(differences.sum(axis=0)) - 1e-9
    rng, as_large = np.random.default_rng(seed), np.zeros(differences.shape[1], np.int64)
    for start in range(0, resamples, CHUNK):
        signs = rng.integers(0, 2, size=(min(CHUNK, resamples - start), len(differences)), dtype=np.int8)
        as_large += np.count_nonzero(np.abs((2.0 * signs - 1) @ differences) >= observed, axis=0)
    return np.asarray((1 + as_large) / (1 + resamples))


def _by_user(values: AnyFloatArray, users: IntArray) -> AnyFloatArray:
    """Return [users, metrics] sums over each user's queries."""
    n_users = int(users.max()) + 1
    return np.stack([np.bincount(users, column, minlength=n_users) for column in values.T], axis=1)
