"""Counts of choices and of transitions, clipped per user and noised."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from serving.release.arrays import FloatArray

Ints = NDArray[np.int64]

MAX_ITEMS: Final = 30_000  # each pair of items gets noise of its own
MAX_CHOICES: Final = 200  # the newest of each user
STEPS_AHEAD: Final = 5
# Share of a user's unit length that counts choices; the rest counts transitions.
CHOICE_SHARE: Final = 0.1
# Of a million pairs that nobody has, 30 are above so many deviations. MovieLens-1M, epsilon 8: NDCG@10 of the
# transitions .070 with 4, .049 with 3, both at ten steps ahead.
THRESHOLD: Final = 4.0
_ROWS: Final = 256  # with noise at once


@dataclass(frozen=True)
class PrivateCounts:
    """Noised counts; nothing else of the users is needed to draw sequences."""

    choices: FloatArray  # [items], not below 0
    transitions: csr_array  # [items, items], above 0


def user_vectors(users: Ints, items: Ints, item_count: int) -> tuple[csr_array, csr_array]:
    """Return what each user adds to the sums; the row of a user over both has at most unit length.

    Args:
        users: [n] from 0, ascending.
        items: [n] the choices of each user, oldest first.

    Returns:
        Choices [users, items], and transitions [users, items · items].
    """
    count = int(users.max(initial=-1)) + 1
    ends = np.searchsorted(users, np.arange(count), side="right")
    newest = ends[users] - np.arange(len(users)) <= MAX_CHOICES
    users, items = users[newest], items[newest]
    pairs = [
        (users[ahead:][same], items[:-ahead][same] * item_count + items[ahead:][same])
        for ahead in range(1, min(STEPS_AHEAD, len(users) - 1) + 1)
        for same in [(users[ahead:] == users[:-ahead]) & (items[ahead:] != items[:-ahead])]
    ]
    owners, keys = np.concatenate([np.zeros((2, 0), np.int64), *map(np.stack, pairs)], axis=1)
    return (
        _of_length(users, items, (count, item_count), CHOICE_SHARE**0.5),
        _of_length(owners, keys, (count, item_count * item_count), (1 - CHOICE_SHARE) ** 0.5),
    )


def noised_counts(
    users: Ints,
    items: Ints,
    item_count: int,
    mu: float,
    rng: np.random.Generator,
    threshold: float = THRESHOLD,
) -> PrivateCounts:
    """Return the sums over all users with noise of deviation 1 / mu, which makes them μ-private.

    Arguments as those of `user_vectors`. `threshold`: pairs below so many deviations are left out.

    Raises:
        ValueError: there are more than MAX_ITEMS items.
    """
    if item_count > MAX_ITEMS:
        raise ValueError(f"{item_count:,} items: at most {MAX_ITEMS:,} can have private counts of all pairs")
    choices, transitions = user_vectors(users, items, item_count)
    sums = np.asarray(choices.sum(axis=0)).ravel() + rng.normal(0, 1 / mu, item_count)
    keys = transitions.indices
    totals = csr_array(
        (transitions.data, (keys // item_count, keys % item_count)), shape=(item_count, item_count)
    )
    blocks = [
        _noised(totals[start : start + _ROWS].toarray(), mu, rng, threshold)
        for start in range(0, item_count, _ROWS)
    ]
    return PrivateCounts(np.maximum(sums, 0).astype(np.float32), vstack(blocks, format="csr"))


def _of_length(rows: Ints, columns: Ints, shape: tuple[int, int], length: float) -> csr_array:
    """Return counts [shape] with rows of the length; a row without any entry stays empty."""
    counts = csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    counts.sum_duplicates()
    norms = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    counts.data *= np.repeat(length / np.maximum(norms, 1e-300), np.diff(counts.indptr))
    return counts


def _noised(sums: NDArray[np.float64], mu: float, rng: np.random.Generator, threshold: float) -> csr_array:
    noised = sums + rng.normal(0, 1 / mu, sums.shape)
    return csr_array(np.where(noised > threshold / mu, noised, 0).astype(np.float32))
