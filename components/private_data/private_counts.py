"""Counts of choices and of transitions, clipped per user and noised."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from serving.release.arrays import AnyFloatArray, FloatArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MAX_ITEMS: Final = 30_000  # each pair of items gets noise of its own
MAX_CHOICES: Final = 200  # the newest of each user
REPEAT_CHOICES: Final = 50  # the newest of each user, in which repeats are counted
STEPS_AHEAD: Final = 5
STEP_DECAY: Final = 0.8  # of a transition's weight, for each step ahead
# Of a user's squared unit length, these shares are for the choices, and for how many of them repeat an
# earlier one; the rest is for the transitions.
CHOICE_SHARE: Final = 0.1
REPEAT_SHARE: Final = 0.01
_TRANSITION_SHARE: Final = 1 - CHOICE_SHARE - REPEAT_SHARE
# Of a million pairs that nobody has, 3 are above so many deviations.
THRESHOLD: Final = 4.5
# A transition counts as much as the noised choices of its items, to this power. Of the transitions above the
# noise, most are between popular items; with weights, more of a user's length is spent on these.
POPULARITY_WEIGHT: Final = 0.25
_ROWS: Final = 256  # with noise at once


@dataclass(frozen=True)
class PrivateCounts:
    """Noised counts; nothing else of the users is needed to draw sequences."""

    choices: FloatArray  # [items], not below 0
    transitions: csr_array  # [items, items], above 0
    repeat_share: float  # of a user's newest REPEAT_CHOICES choices, the mean share that repeats one before


def user_choices(users: Ints, items: Ints, item_count: int) -> csr_array:
    """Return the choices that each user adds to the sums [users, items]: rows of the length √CHOICE_SHARE.

    Args:
        users: [n] from 0, ascending, without gaps.
        items: [n] the choices of each user, oldest first.
    """
    users, items, count = _newest(users, items)
    return _of_length(users, items, np.ones(len(items)), (count, item_count), CHOICE_SHARE**0.5)


def user_repeats(users: Ints, items: Ints, item_count: int) -> Floats:
    """Return [users, 2] the shares of each user's newest choices that repeat an earlier one, and that do not.

    Rows of at most the length √REPEAT_SHARE. Arguments as those of `user_choices`.
    """
    users, items, count = _newest(users, items, REPEAT_CHOICES)
    firsts = np.unique(users * item_count + items, return_index=True)[1]
    chosen, different = np.bincount(users, minlength=count), np.bincount(users[firsts], minlength=count)
    share = 1 - different / np.maximum(chosen, 1)
    shares: Floats = REPEAT_SHARE**0.5 * np.stack([share, 1 - share], axis=1)
    return shares


def user_transitions(users: Ints, items: Ints, weights: AnyFloatArray) -> csr_array:
    """Return the transitions that each user adds to the sums [users, items · items].

    Rows of the length √_TRANSITION_SHARE, so that all that a user adds has unit length.

    Args:
        users, items: as those of `user_choices`.
        weights: [items] above 0; a pair counts as the product of its items' weights, less the farther ahead.
    """
    users, items, count = _newest(users, items)
    item_count = len(weights)
    pairs = [
        (
            users[ahead:][same],
            items[:-ahead][same] * item_count + items[ahead:][same],
            np.full(np.count_nonzero(same), ahead),
        )
        for ahead in range(1, min(STEPS_AHEAD, len(users) - 1) + 1)
        for same in [(users[ahead:] == users[:-ahead]) & (items[ahead:] != items[:-ahead])]
    ]
    owners, keys, steps = np.concatenate([np.zeros((3, 0), np.int64), *map(np.stack, pairs)], axis=1)
    weight = weights[keys // item_count] * weights[keys % item_count] * STEP_DECAY ** (steps - 1)
    return _of_length(owners, keys, weight, (count, item_count * item_count), _TRANSITION_SHARE**0.5)


def item_weights(choices: AnyFloatArray, mu: float) -> AnyFloatArray:
    """Return the weights [items] of items with these noised choices [items]: equal ones below the noise."""
    weights: AnyFloatArray = np.maximum(choices, 1 / mu) ** POPULARITY_WEIGHT
    return weights


def noised_counts(
    users: Ints,
    items: Ints,
    item_count: int,
    mu: float,
    rng: np.random.Generator,
    threshold: float = THRESHOLD,
) -> PrivateCounts:
    """Return the sums over all users with noise of deviation 1 / mu, which makes them μ-private.

    The weights of the transitions come from the noised choices, so they reveal no more than these; the noised
    transitions are divided by them again.

    Args:
        users, items, item_count: as those of `user_choices`.
        threshold: pairs below so many deviations are left out.

    Raises:
        ValueError: there are more than MAX_ITEMS items.
    """
    if item_count > MAX_ITEMS:
        raise ValueError(f"{item_count:,} items: at most {MAX_ITEMS:,} can have private counts of all pairs")
    sums = np.asarray(user_choices(users, items, item_count).sum(axis=0)).ravel()
    sums = np.maximum(sums + rng.normal(0, 1 / mu, item_count), 0)
    weights = item_weights(sums, mu)
    transitions = user_transitions(users, items, weights)
    repeats, others = user_repeats(users, items, item_count).sum(axis=0) + rng.normal(0, 1 / mu, 2)
    keys = transitions.indices
    totals = csr_array(
        (transitions.data, (keys // item_count, keys % item_count)), shape=(item_count, item_count)
    )
    blocks = [
        _noised(totals[start : start + _ROWS].toarray(), mu, rng, threshold)
        for start in range(0, item_count, _ROWS)
    ]
    noised = vstack(blocks, format="coo")
    noised.data /= weights[noised.row] * weights[noised.col]
    repeat_share = float(np.clip(repeats / max(repeats + others, 1e-9), 0, 1))
    return PrivateCounts(sums.astype(np.float32), csr_array(noised, dtype=np.float32), repeat_share)


def _newest(users: Ints, items: Ints, choices: int = MAX_CHOICES) -> tuple[Ints, Ints, int]:
    """Return the users and items of the newest choices of each user, and the number of users."""
    count = int(users.max(initial=-1)) + 1
    ends = np.searchsorted(users, np.arange(count), side="right")
    newest = ends[users] - np.arange(len(users)) <= choices
    return users[newest], items[newest], count


def _of_length(
    rows: Ints, columns: Ints, values: NDArray[Any], shape: tuple[int, int], length: float
) -> csr_array:
    """Return sums of values [shape] with rows of the length; a row without any entry stays empty."""
    counts = csr_array((values.astype(np.float64), (rows, columns)), shape=shape)
    counts.sum_duplicates()
    norms = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    counts.data *= np.repeat(length / np.maximum(norms, 1e-300), np.diff(counts.indptr))
    return counts


def _noised(sums: NDArray[np.float64], mu: float, rng: np.random.Generator, threshold: float) -> csr_array:
    noised = sums + rng.normal(0, 1 / mu, sums.shape)
    return csr_array(np.where(noised > threshold / mu, noised, 0))
