"""Divides users' interactions into windows, the training rows, at the edges of steps."""

import numpy as np
from numpy.typing import NDArray

from components.build_features.labelled_users import Integers, LabelledUsers


def windows(users: LabelledUsers, until: Integers, size: int) -> tuple[Integers, Integers]:
    """Return the user and the cutoff of each window of the interactions before `until`.

    A window ends before its cutoff and begins at the cutoff of the next older window of the user; it has at
    most `size` interactions. All interactions of one time, a step, are in one window. A step of more than
    `size` interactions is a window of its own; its history has the last `size` of them, ordered by id.

    Args:
        until: [users] µs since the epoch.

    Returns:
        [windows] indexes of users, and [windows] cutoffs in µs.
    """
    before = users.timestamps < until[users.owners]
    counts = np.add.reduceat(before, users.offsets[:-1], dtype=np.int64)
    owners, cutoffs = [np.flatnonzero(counts)], [until[counts > 0]]
    for user in np.flatnonzero(counts > size).tolist():
        start = int(users.offsets[user])
        edges = _edges(users.timestamps[start : start + int(counts[user])], size)
        owners.append(np.full(len(edges), user))
        cutoffs.append(np.array(edges, np.int64))
    return np.concatenate(owners), np.concatenate(cutoffs)


def _edges(timestamps: NDArray[np.int64], size: int) -> list[int]:
    """Return the first timestamp of each window but the oldest, newest first, for one user."""
    starts = np.flatnonzero(np.diff(timestamps, prepend=timestamps[0] - 1))
    edges, end = list[int](), len(timestamps)
    while end > size:
        # The oldest step that fits into a window which ends at `end`; else the newest step alone.
        step = min(np.searchsorted(starts, end - size), np.searchsorted(starts, end) - 1)
        end = int(starts[step])
        if end:
            edges.append(int(timestamps[end]))
    return edges
