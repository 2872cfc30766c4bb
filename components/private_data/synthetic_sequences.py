"""Draws sequences of choices from noised counts alone, so that they reveal no more than these do."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.private_data.private_counts import Ints, PrivateCounts

Floats = NDArray[np.float64]

POPULAR_SHARE: Final = 0.1  # of the choices, which follow from no other one


def draw_sequences(
    counts: PrivateCounts, sequences: int, length: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return [sequences, length] items; each follows one of the sequence's last choice.

    Raises:
        ValueError: no choice is left above the noise.
    """
    popular = np.cumsum(counts.choices, dtype=np.float64)
    if not len(popular) or popular[-1] <= 0:
        raise ValueError("no count is above 0: there are too few users for this epsilon")
    drawn = np.empty((sequences, length), np.int64)
    lowest, highest = np.zeros(sequences), np.full(sequences, popular[-1])
    drawn[:, 0] = _of(popular, lowest, highest, rng)
    following = np.cumsum(counts.transitions.data, dtype=np.float64)
    starts = np.concatenate([[0.0], following])[counts.transitions.indptr]
    for place in range(1, length):
        last = drawn[:, place - 1]
        low, high = starts[last], starts[last + 1]
        follows = (high > low) & (rng.random(sequences) >= POPULAR_SHARE)
        drawn[:, place] = _of(popular, lowest, highest, rng)
        drawn[follows, place] = counts.transitions.indices[_of(following, low[follows], high[follows], rng)]
    return drawn


def _of(sums: Floats, low: Floats, high: Floats, rng: np.random.Generator) -> Ints:
    """Return positions, drawn in proportion to weights with these sums, between two sums [sequences]."""
    points = low + rng.random(len(low)) * (high - low)
    positions: Ints = np.minimum(np.searchsorted(sums, points, side="right"), len(sums) - 1)
    return positions
