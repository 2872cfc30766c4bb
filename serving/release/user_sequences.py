"""All users' sequences of choices, searched for the users who chose similar items in a similar order.

Sequence-aware nearest neighbours (V-SkNN): Ludewig & Jannach 2018, "Evaluation of session-based
recommendation algorithms". With the three weights of STAN, Garg et al. 2019, "Sequence and time aware
neighborhood for session-based recommendations": by the recency of the history's interactions,
by the neighbour's distance in time, and by the distance of the neighbour's next choices from the shared item.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from serving.errors import DamagedRelease
from serving.release.arrays import FloatArray, Indexes, map_arrays, save_arrays
from serving.release.sparse import checked_csr, copy_rows, sum_rows

# This many choices after a shared item count as the next ones; the d-th of them weighs 1/d.
STEPS_AHEAD: Final = 4
# A user's similarity is multiplied by length ** -LENGTH_POWER: long sequences share more items by chance.
LENGTH_POWER: Final = 0.25
# Nearest users, each weighted by the square of their similarity. More than user_cosine uses, because a user
# contributes only the choices that follow a shared item.
SEQUENCE_NEIGHBOURS: Final = 300

STEP_WEIGHTS: Final = (1 / np.arange(1, STEPS_AHEAD + 1)).astype(np.float32)
_STEPS: Final = np.arange(1, STEPS_AHEAD + 1, dtype=np.int32)[:, np.newaxis]

# Hours since the epoch as float32 are exact to two minutes.
_HOUR: Final = 3_600_000_000  # µs


@dataclass(frozen=True, eq=False)
class UserSequences:
    """All sequences concatenated; STEPS_AHEAD padding entries, equal to the item count, follow each."""

    items: Indexes  # [entries] item indexes
    hours: FloatArray  # [entries] since the epoch
    damping: FloatArray  # [users] length ** -LENGTH_POWER
    # [items, users] int32: for each time that a user chose an item, the position in `items` after which the
    # next choices stand. It is the last one of the same step: of one timestamp, no order is known.
    positions: csr_array
    half_weight_hours: float  # a choice this far in time from the history's end counts half

    @classmethod
    def of(
        cls,
        users: NDArray[np.int32],
        items: Indexes,
        timestamps: NDArray[np.int64],
        item_count: int,
        half_weight_us: int,
    ) -> "UserSequences":
        """Build from parallel arrays [interactions], sorted by user (from 0) and then time; times in µs."""
        lengths = np.bincount(users)
        positions = np.arange(len(items)) + STEPS_AHEAD * users
        is_last = np.ones(len(items), bool)
        is_last[:-1] = (users[1:] != users[:-1]) | (timestamps[1:] != timestamps[:-1])
        ends = positions[is_last][np.cumsum(is_last) - is_last]
        padded = np.full(len(items) + STEPS_AHEAD * len(lengths), item_count, np.int32)
        hours = np.zeros(len(padded), np.float32)
        padded[positions], hours[positions] = items, timestamps / _HOUR
        order = np.argsort(items, kind="stable")
        offsets = np.concatenate([[0], np.cumsum(np.bincount(items, minlength=item_count))])
        by_item = csr_array(
            (ends[order].astype(np.int32), users[order], offsets.astype(np.int32)),
            shape=(item_count, len(lengths)),
        )
        damping = np.maximum(lengths, 1).astype(np.float32) ** np.float32(-LENGTH_POWER)
        return cls(padded, hours, damping, by_item, half_weight_us / _HOUR)

    def next_choices(self, history: Indexes, weights: FloatArray, now: int) -> tuple[Indexes, FloatArray]:
        """Return what the nearest users chose after an item that they share with `history`.

        similarity(u) = length(u) ** -LENGTH_POWER · Σ weights of u's choices that are in the history. A
        shared choice gives weight · similarity(u)² / (1 + |its time − now| / half_weight_hours) to each of
        the STEPS_AHEAD choices that follow it, before STEP_WEIGHTS.

        Args:
            history: [h] item indexes.
            weights: [h] weights of the history's items.
            now: µs since the epoch.

        Returns:
            [STEPS_AHEAD, n] item indexes, the item count after the end of a sequence; and [n] weights.
        """
        users, positions, offsets = copy_rows(self.positions, history)
        ones = np.ones(len(users), np.float32)
        similarity = sum_rows(users, ones, offsets, weights, len(self.damping)) * self.damping
        bound: np.floating = np.finfo(np.float32).tiny
        similar = similarity[similarity >= bound]
        if len(similar) > SEQUENCE_NEIGHBOURS:  # among all users, most of whom have 0, it takes much longer
            bound = np.partition(similar, -SEQUENCE_NEIGHBOURS)[-SEQUENCE_NEIGHBOURS]
        is_neighbour = similarity >= bound
        shared = np.flatnonzero(is_neighbour.take(users))
        positions, shared_similarity = positions.take(shared), similarity.take(users.take(shared))
        choice_weights = np.repeat(weights, np.diff(np.searchsorted(shared, offsets)))
        choice_weights = choice_weights * shared_similarity * shared_similarity
        distance = np.abs(self.hours.take(positions) - np.float32(now / _HOUR))
        choice_weights /= 1 + distance / np.float32(self.half_weight_hours)
        return self.items.take(positions + _STEPS), choice_weights

    @classmethod
    def load(cls, directory: Path) -> "UserSequences":
        """Open sequences that `save` wrote; their entries are memory-mapped.

        Raises:
            DamagedRelease: an index is outside its array.
        """
        # The files of release format 2 name the positions "places" and half_weight_hours "pace".
        arrays = map_arrays(directory, ("items", "hours", "damping", "indptr", "users", "places", "pace"))
        shape = (len(arrays["indptr"]) - 1, len(arrays["damping"]))
        positions = checked_csr(directory, arrays["places"], arrays["users"], arrays["indptr"], shape)
        items, hours, places = arrays["items"], arrays["hours"], arrays["places"]
        _check_bounds(directory / "items.npy", items, shape[0])  # the item count is the padding
        _check_bounds(directory / "places.npy", places, min(len(items), len(hours)) - STEPS_AHEAD - 1)
        return cls(items, hours, arrays["damping"], positions, float(arrays["pace"]))

    def save(self, directory: Path) -> None:
        """Write the arrays into `directory`."""
        arrays = {
            "items": self.items,
            "hours": self.hours,
            "damping": self.damping,
            "indptr": self.positions.indptr,
            "users": self.positions.indices,
            "places": self.positions.data,
            "pace": np.asarray(self.half_weight_hours),
        }
        save_arrays(directory, arrays)


def _check_bounds(file: Path, indexes: Indexes, largest: int) -> None:
    if len(indexes) and not 0 <= indexes.min() <= indexes.max() <= largest:
        raise DamagedRelease(
            f"{file} has indexes from {indexes.min()} to {indexes.max()}, expected 0 to {largest}"
        )
