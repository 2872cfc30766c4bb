"""How well real users' last choices are predicted from drawn data, measured under differential privacy, too.

A user is ranked all items that the user has not chosen before, by the transitions of the drawn data and by
its popularity. NDCG@10 is at most 1, so that a user changes its sum over all users by at most 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from components.private_data.private_counts import Ints
from serving.release.arrays import FloatArray

# Only users with so many choices are measured; what is drawn knows nothing of their last one.
MIN_CHOICES: Final = 10
K: Final = 10
RECENT: Final = 10  # choices whose transitions count
_DECAY: Final = 0.7
_SMOOTHING: Final = 10


@dataclass(frozen=True)
class HeldOut:
    """Last choices, and what the same users chose before.

    Attributes:
        users, items: [n] as in `user_choices`; the earlier choices.
        targets: [users] the last ones.
    """

    users: Ints
    items: Ints
    targets: Ints


@dataclass(frozen=True)
class Accuracy:
    """NDCG@10 of last choices; `noise` is 1.96 standard deviations of what privacy adds to each figure."""

    ndcg_at_10: float
    popularity: float
    noise: float
    users: int


def hold_out(users: Ints, items: Ints) -> tuple[Ints, Ints, HeldOut]:
    """Split off the last choice of each user who is measured; returns the users and items left, and it.

    It depends on nobody else who that is.

    Args:
        users: [n] from 0, ascending.
        items: [n] the choices of each user, oldest first.
    """
    counts = np.bincount(users)
    last = np.cumsum(counts)[counts >= MIN_CHOICES] - 1
    targets, is_measured = items[last], counts[users] >= MIN_CHOICES
    left = np.delete(np.arange(len(users)), last)
    earlier = left[is_measured[left]]
    of_measured = np.unique(users[earlier], return_inverse=True)[1].astype(np.int64)
    return users[left], items[left], HeldOut(of_measured, items[earlier], targets)


def measure(
    held_out: HeldOut, drawn: Ints, item_count: int, mu: float, rng: np.random.Generator
) -> Accuracy | None:
    """Return the accuracy, μ-private for the users held out; None if the noise hides how many there are.

    Args:
        drawn: [sequences, length] items.
    """
    # A user adds (NDCG@10 by transitions, by popularity, 1) / sqrt(3), which has at most unit length.
    values = np.array([(*each, 1.0) for each in gains(held_out, drawn, item_count)]).reshape(-1, 3)
    deviation = 3**0.5 / mu
    sums = values.sum(axis=0) + rng.normal(0, deviation, 3)
    if (users := float(sums[2])) < K * deviation:
        return None
    by_transitions, by_popularity = np.clip(sums[:2] / users, 0, 1).tolist()
    return Accuracy(by_transitions, by_popularity, 1.96 * deviation / users, round(users))


def gains(held_out: HeldOut, drawn: Ints, item_count: int) -> Iterator[tuple[float, float]]:
    """Yield NDCG@10 of each user's last choice by transitions and by popularity; ties count against it."""
    popularity = np.bincount(drawn.ravel(), minlength=item_count).astype(np.float32)
    pairs = (drawn[:, :-1].ravel(), drawn[:, 1:].ravel())
    follows = csr_array((np.ones(len(pairs[0]), np.float32), pairs), shape=(item_count, item_count))
    lengths = np.asarray(follows.sum(axis=1)).ravel() + _SMOOTHING
    bounds = np.searchsorted(held_out.users, np.arange(len(held_out.targets) + 1))
    for user, target in enumerate(held_out.targets.tolist()):
        seen = held_out.items[bounds[user] : bounds[user + 1]]
        recent = seen[-RECENT:]
        weights = _DECAY ** np.arange(len(recent))[::-1]
        scores = follows[recent].T @ (weights / lengths[recent]) + 1e-3 * popularity / popularity.sum()
        yield _ndcg(scores, seen, target), _ndcg(popularity, seen, target)


def _ndcg(scores: FloatArray | NDArray[np.float64], seen: Ints, target: int) -> float:
    left = scores.astype(np.float32)
    left[seen[seen != target]] = -1
    rank = int(np.count_nonzero(left >= left[target]))
    return float(1 / np.log2(rank + 1)) if rank <= K else 0.0
