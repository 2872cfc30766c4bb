"""Popularity: how many people chose each item and how often, and its exponentially weighted trend."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from components.train_collaborative_filters.interactions import Interactions
from serving.release.arrays import FloatArray

# In microseconds.
HOUR: Final = 3_600_000_000
MONTH: Final = 30 * 24 * HOUR

# The users with the earliest and with the latest times say nothing about the period: this share, or one user.
OUTLIERS: Final = 0.01


def popularity(interactions: Interactions) -> FloatArray:
    """Return [items] the sum over users of largest weight · (1 + ln(sum of weights / largest weight)).

    So a choice again counts, but one person or bot does not own the popularity: a thousand views count as
    eight people.
    """
    largest = interactions.user_items()
    cells = (interactions.weights, (interactions.users, interactions.items))
    total = csr_array(cells, shape=largest.shape)  # adds the weights of a cell
    total.sort_indices()
    damped = largest.data * (1 + np.log(total.data / largest.data))
    return _sums(csr_array((damped, largest.indices, largest.indptr), shape=largest.shape))


def period(interactions: Interactions) -> tuple[int, int]:
    """Return the first and the last time of the interactions (µs), without those of a few outlying users.

    A wrong time, or one person who comes back years after all others, changes neither.
    """
    first = np.full(interactions.user_count, np.iinfo(np.int64).max)
    last = np.full(interactions.user_count, np.iinfo(np.int64).min)
    np.minimum.at(first, interactions.users, interactions.timestamps)
    np.maximum.at(last, interactions.users, interactions.timestamps)
    active = np.bincount(interactions.users, minlength=interactions.user_count) > 0
    start = np.quantile(first[active], OUTLIERS, method="higher")
    return int(start), int(np.quantile(last[active], 1 - OUTLIERS, method="lower"))


def half_life(interactions: Interactions) -> int:
    """Return a tenth of the interactions' period in µs, since news and films have different speeds."""
    start, end = period(interactions)
    return min(max((end - start) // 10, HOUR), MONTH)


def trend(interactions: Interactions, half_life: int) -> FloatArray:
    """Return [items] the sum of `recent_choices`: it counts people, not their interactions."""
    return _sums(recent_choices(interactions, half_life))


def _sums(user_items: csr_array) -> FloatArray:
    counts = np.bincount(user_items.indices, user_items.data, minlength=user_items.shape[1])
    return counts.astype(np.float32)


def recent_choices(interactions: Interactions, half_life: int) -> csr_array:
    """Return [users, items] float32: the largest of a user's `exponential_weights` with an item."""
    weights = exponential_weights(interactions, half_life).astype(np.float32)
    return replace(interactions, weights=weights).user_items()


def exponential_weights(interactions: Interactions, half_life: int) -> NDArray[np.float64]:
    """Return [interactions] their weights, halved per `half_life` (µs) from each to the end of the period."""
    ages = np.maximum(period(interactions)[1] - interactions.timestamps, 0) / half_life
    weights: NDArray[np.float64] = interactions.weights * 0.5**ages
    return weights
