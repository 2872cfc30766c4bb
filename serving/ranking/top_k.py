"""The largest of many scores."""

import numpy as np
from numpy.typing import NDArray

from serving.release.arrays import AnyFloatArray, FloatArray, Indexes


def best_positions(scores: FloatArray, k: int) -> NDArray[np.intp]:
    """Return positions [≤ k] of the highest scores, best first; of equal scores the earlier position."""
    pool = (
        np.flatnonzero(scores >= _lower_bound(scores, k)) if 0 < k < len(scores) else np.arange(len(scores))
    )
    return pool[np.argsort(-scores[pool], kind="stable")[:k]]


def top_k(scores: AnyFloatArray, count: int) -> Indexes:
    """Return positions [≤ count] of the largest positive scores, ascending; of equal scores the earlier."""
    positions = np.flatnonzero(among_top_k(scores, count)).astype(np.int32)
    if len(positions) <= count:
        return positions
    bound = scores[positions].min()
    above, equal = positions[scores[positions] > bound], positions[scores[positions] == bound]
    return np.sort(np.concatenate([above, equal[: count - len(above)]]))


def among_top_k(scores: AnyFloatArray, count: int, above: float = 0.0) -> NDArray[np.bool_]:
    """Return whether each score exceeds `above` and is among the `count` largest, ties included."""
    return scores >= kth_largest(scores, count, above)


def kth_largest(scores: AnyFloatArray, count: int, above: float = 0.0) -> np.float32:
    """Return the smallest score that exceeds `above` and is among the `count` largest.

    Sorts: many scores after a short history are equal, and np.partition takes 30 times as long on those. Most
    of these are 0, so what does not exceed `above` is left out first.
    """
    smallest: np.float32 = np.nextafter(np.float32(above), np.float32(np.inf))
    if len(scores) > count and len(exceeding := scores[scores > above]) > count:
        if len(exceeding) >= 4 * count:
            exceeding = exceeding[exceeding >= _lower_bound(exceeding, count)]
        smallest = np.sort(exceeding)[-count]
    return smallest


def _lower_bound(scores: AnyFloatArray, count: int) -> np.floating:
    """Return a score that the `count` largest (≥ 1) reach, and few others: one of the maxima of blocks.

    `count` blocks have a maximum that reaches it. To sort the maxima takes a fifth of a sort of all scores.
    """
    block = max(1, len(scores) // (2 * count))
    whole = scores[: len(scores) // block * block]
    smallest: np.floating = np.sort(whole.reshape(block, -1).max(axis=0))[-count]
    return smallest
