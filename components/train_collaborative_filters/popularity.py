"""Popularity: the weight of the interactions with each item, and its exponentially weighted trend."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.train_collaborative_filters.interactions import Interactions

# In microseconds.
HOUR: Final = 3_600_000_000
MONTH: Final = 30 * 24 * HOUR


def popularity(interactions: Interactions) -> NDArray[np.float32]:
    """Return [items] the sum of the interactions' weights."""
    counts = np.bincount(interactions.items, interactions.weights, minlength=interactions.item_count)
    return counts.astype(np.float32)


def half_life(interactions: Interactions) -> int:
    """Return a tenth of the interactions' time span in µs, since news and films have different speeds."""
    span = int(interactions.timestamps.max() - interactions.timestamps.min())
    return min(max(span // 10, HOUR), MONTH)


def trend(interactions: Interactions, half_life: int) -> NDArray[np.float32]:
    """Return [items] the sum of `exponential_weights`."""
    weights = exponential_weights(interactions, half_life)
    counts = np.bincount(interactions.items, weights, minlength=interactions.item_count)
    return counts.astype(np.float32)


def exponential_weights(interactions: Interactions, half_life: int) -> NDArray[np.float64]:
    """Return [interactions] their weights, halved per `half_life` (µs) between each and the newest."""
    ages = (interactions.timestamps.max() - interactions.timestamps) / half_life
    weights: NDArray[np.float64] = interactions.weights * 0.5**ages
    return weights
