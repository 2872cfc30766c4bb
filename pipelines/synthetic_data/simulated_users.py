"""Simulated users: they look at the places of an answer from the top, and choose by tastes that drift.

A cascade of two steps, as in the position-based model (Craswell et al. 2008): a user examines a place with a
probability that falls with the place, and clicks an examined item with a probability that depends on the
user's taste for the item's topic. So the true click-through rate of any ranking policy can be computed.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# The exponent of the position bias: place 1 is always examined, place 10 in 0.1 ** 0.5 = 32 % of the answers.
POSITION_BIAS: Final = 0.5


@dataclass
class SimulatedUsers:
    """Tastes of users for topics, and the topics of items."""

    users: int
    items: int
    topics: int = 4
    seed: int = 0
    drift: float = 0.0  # share of a taste that is new after each `advance`
    tastes: Floats = field(init=False)  # [users, topics], each row sums to 1
    topic_of: Ints = field(init=False)  # [items]
    appeal: Floats = field(init=False)  # [items] 0 to 1

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        self.tastes = self._rng.dirichlet(np.full(self.topics, 0.5), self.users)
        self.topic_of = np.arange(self.items) % self.topics
        self.appeal = self._rng.uniform(0.3, 1.0, self.items)

    def advance(self) -> None:
        """Let the tastes drift by one day."""
        new = self._rng.dirichlet(np.full(self.topics, 0.5), self.users)
        self.tastes = (1 - self.drift) * self.tastes + self.drift * new

    def attraction(self, users: Ints) -> Floats:
        """Return the probability [n, items] that each of `users` [n] clicks an item that is examined."""
        return np.asarray(self.tastes[users][:, self.topic_of] * self.appeal)

    def examination(self, k: int) -> Floats:
        """Return the probability [k] that a place is examined."""
        return np.asarray(np.power(1.0 + np.arange(k), -POSITION_BIAS))

    def click_probabilities(self, users: Ints, items: Ints) -> Floats:
        """Return the probability [n, k] of a click at each place of the answers `items` [n, k]."""
        attraction = np.take_along_axis(self.attraction(users), items, axis=1)
        return attraction * self.examination(items.shape[1])

    def clicks(self, users: Ints, items: Ints) -> NDArray[np.bool_]:
        """Draw the clicks [n, k] on answers `items` [n, k]."""
        return self._rng.random(items.shape) < self.click_probabilities(users, items)
