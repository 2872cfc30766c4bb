"""How often items are chosen, over all time and lately."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.train_collaborative_filters.interactions import Interactions

# µs
HOUR: Final = 3_600_000_000
MONTH: Final = 30 * 24 * HOUR


def popularity(interactions: Interactions) -> NDArray[np.float32]:
    """[items] interactions."""
    return np.bincount(interactions.items, minlength=interactions.item_count).astype(np.float32)


def half_life(interactions: Interactions) -> int:
    """In µs: a tenth of the time that the interactions span: news and films each have their own pace."""
    span = int(interactions.timestamps.max() - interactions.timestamps.min())
    return min(max(span // 10, HOUR), MONTH)


def trend(interactions: Interactions, half_life: int) -> NDArray[np.float32]:
    """[items] interactions, each halved per `half_life` (µs) before the newest of all."""
    weights = fading(interactions, half_life)
    counts = np.bincount(interactions.items, weights, minlength=interactions.item_count)
    return counts.astype(np.float32)


def fading(interactions: Interactions, half_life: int) -> NDArray[np.float64]:
    """[interactions] 1 for the newest of all, halved per `half_life` (µs) of age."""
    ages = (interactions.timestamps.max() - interactions.timestamps) / half_life
    weights: NDArray[np.float64] = 0.5**ages
    return weights
