"""Draws sequences of choices from noised counts alone, so that they reveal no more than these do."""

from typing import Final

import numpy as np
from scipy.optimize import brentq

from components.private_data.private_counts import REPEAT_CHOICES, Floats, Ints, PrivateCounts

POPULAR_SHARE: Final = 0.05  # of the choices, which follow from no other one
# Each choice follows from one of the last choices, more often from a newer one. The next choice of a real
# user depends on several earlier ones, and the drawn data must show this to the model.
RECENT: Final = 10
_DECAY: Final = 0.7
_TRIES: Final = 5  # to draw an item that the sequence does not have, or one that it has


def draw_sequences(counts: PrivateCounts, sequences: int, length: int, rng: np.random.Generator) -> Ints:
    """Return [sequences, length] items; each follows from one of the sequence's last choices.

    They repeat earlier ones as often as real users do: the choice at a place (from 0) is a new one with the
    probability θ / (θ + place), as new colours come from an urn (Hoppe 1984, "Pólya-like urns").

    Raises:
        ValueError: no choice is left above the noise.
    """
    draw, theta = _Draw(counts, rng), _theta(counts.repeat_share)
    drawn = np.empty((sequences, length), np.int64)
    for place in range(length):
        earlier = drawn[:, :place]
        is_new = rng.random(sequences) < theta / (theta + place)
        left = np.arange(sequences)
        for _ in range(_TRIES):
            drawn[left, place] = draw.following(earlier[left])
            is_repeat = (earlier[left] == drawn[left, place, np.newaxis]).any(axis=1)
            left = left[is_repeat == is_new[left]]
        repeats = left[~is_new[left]]  # nothing that follows was chosen before
        drawn[repeats, place] = earlier[repeats, rng.integers(0, max(place, 1), len(repeats))]
    return drawn


def _theta(repeat_share: float) -> float:
    """Return θ for this share of repeats in REPEAT_CHOICES choices: Σ θ / (θ + place) of them are new."""
    places = np.arange(REPEAT_CHOICES)
    # The first choice is always new, so the highest share is 0.98. θ reaches shares between these bounds.
    share = np.clip(repeat_share, 0.001, 0.97)

    def excess(log_theta: float) -> float:
        theta = np.exp(log_theta)
        return float(np.mean(theta / (theta + places)) - (1 - share))

    return float(np.exp(brentq(excess, np.log(1e-3), np.log(1e6))))


class _Draw:
    """Draws items in proportion to the counts."""

    def __init__(self, counts: PrivateCounts, rng: np.random.Generator) -> None:
        self._rng, self._items = rng, counts.transitions.indices
        self._popular = np.cumsum(counts.choices, dtype=np.float64)
        if not len(self._popular) or self._popular[-1] <= 0:
            raise ValueError("no count is above 0: there are too few users for this epsilon")
        self._following = np.cumsum(counts.transitions.data, dtype=np.float64)
        self._starts = np.concatenate([[0.0], self._following])[counts.transitions.indptr]

    def following(self, earlier: Ints) -> Ints:
        """Return an item for each sequence [sequences] from its choices so far [sequences, place]."""
        count, place = earlier.shape
        drawn = self._of(self._popular, np.zeros(count), np.full(count, self._popular[-1]))
        if place:
            weights = _DECAY ** np.arange(min(place, RECENT))
            ages = self._rng.choice(len(weights), count, p=weights / weights.sum())
            last = earlier[np.arange(count), place - 1 - ages]
            low, high = self._starts[last], self._starts[last + 1]
            follows = (high > low) & (self._rng.random(count) >= POPULAR_SHARE)
            drawn[follows] = self._items[self._of(self._following, low[follows], high[follows])]
        return drawn

    def _of(self, sums: Floats, low: Floats, high: Floats) -> Ints:
        """Return positions, drawn in proportion to weights with these sums, between two sums [n]."""
        points = low + self._rng.random(len(low)) * (high - low)
        positions: Ints = np.minimum(np.searchsorted(sums, points, side="right"), len(sums) - 1)
        return positions
