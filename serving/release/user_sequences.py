"""What users chose one after another: those are asked who once stood where somebody stands now.

Sequence-aware nearest neighbours: Ludewig & Jannach 2018, "Evaluation of session-based recommendation
algorithms" (V-SkNN), with the three fadings of Garg et al. 2019, "Sequence and time aware neighborhood for
session-based recommendations" (STAN): of the history's interactions, of the neighbours' with their distance
in time, and of what they chose next with its distance from the common item.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse._sparsetools import csc_matvec

from serving.release.arrays import FloatArray, Indexes, map_arrays, save_arrays
from serving.release.sparse import copied_rows

# So many choices after a common item are what came next; the d-th of them counts 1/d.
AHEAD: Final = 4
# Who shares more with somebody because they chose more is like them by length ** -LENGTH_POWER of it.
LENGTH_POWER: Final = 0.25
# Users who are asked, each as loudly as their likeness squared.
NEIGHBOURS: Final = 300

NEXT: Final = (1 / np.arange(1, AHEAD + 1)).astype(np.float32)
_STEPS: Final = np.arange(1, AHEAD + 1, dtype=np.int32)[:, np.newaxis]

# A float32 of hours since the epoch is right to two minutes.
_HOUR: Final = 3_600_000_000  # µs


@dataclass(frozen=True, eq=False)
class UserSequences:
    """All sequences end to end, each followed by AHEAD places that hold no item, but its item count."""

    items: Indexes  # [places] an item's index
    hours: FloatArray  # [places] since the epoch
    damping: FloatArray  # [users] length ** -LENGTH_POWER
    # [items, users] int32: where in `items` a user chose an item, an entry for each time.
    places: csr_array
    pace: float  # hours: a choice that long before or after the history's end counts half

    @classmethod
    def of(
        cls,
        users: NDArray[np.int32],
        items: Indexes,
        timestamps: NDArray[np.int64],
        item_count: int,
        pace: int,
    ) -> "UserSequences":
        """From parallel arrays [interactions], by user from 0 on, each user's oldest first; µs."""
        lengths = np.bincount(users)
        where = np.arange(len(items)) + AHEAD * users
        padded = np.full(len(items) + AHEAD * len(lengths), item_count, np.int32)
        hours = np.zeros(len(padded), np.float32)
        padded[where], hours[where] = items, timestamps / _HOUR
        order = np.argsort(items, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(items, minlength=item_count))])
        places = csr_array(
            (where[order].astype(np.int32), users[order], starts.astype(np.int32)),
            shape=(item_count, len(lengths)),
        )
        damping = np.maximum(lengths, 1).astype(np.float32) ** np.float32(-LENGTH_POWER)
        return cls(padded, hours, damping, places, pace / _HOUR)

    def following(self, history: Indexes, weights: FloatArray, now: int) -> tuple[Indexes, FloatArray]:
        """What the nearest users chose next after what they share with `history`, and how loudly they say it.

        sim(u) = length(u) ** -¼ · Σ weight of u's choices that the history has too; such a choice says
        weight · sim(u)² / (1 + |its time − now| / pace) of the choice that came d steps later, times 1/d.

        Args:
            history: [h] item indexes.
            weights: [h] how loudly each of them speaks.
            now: µs since the epoch.

        Returns:
            [AHEAD, n] item indexes, an item as often as it is named, the item count where a sequence had
            ended; and [n] how loudly, before that 1/d.
        """
        users, places, starts = copied_rows(self.places, history)
        shared = np.zeros(len(self.damping), np.float32)
        csc_matvec(len(shared), len(history), starts, users, np.ones(len(users), np.float32), weights, shared)
        shared *= self.damping
        bound = np.partition(shared, -NEIGHBOURS)[-NEIGHBOURS] if len(shared) > NEIGHBOURS else 0.0
        alike = shared >= max(bound, np.finfo(np.float32).tiny)
        near = np.flatnonzero(alike.take(users))
        places, likeness = places.take(near), shared.take(users.take(near))
        loudness = np.repeat(weights, np.diff(np.searchsorted(near, starts))) * likeness * likeness
        loudness /= 1 + np.abs(self.hours.take(places) - np.float32(now / _HOUR)) / np.float32(self.pace)
        return self.items.take(places + _STEPS), loudness

    @classmethod
    def load(cls, directory: Path) -> "UserSequences":
        """Its entries are mapped: serving.release.arrays."""
        arrays = map_arrays(directory, ("items", "hours", "damping", "indptr", "users", "places", "pace"))
        shape = (len(arrays["indptr"]) - 1, len(arrays["damping"]))
        places = csr_array((arrays["places"], arrays["users"], arrays["indptr"]), shape=shape)
        return cls(arrays["items"], arrays["hours"], arrays["damping"], places, float(arrays["pace"]))

    def save(self, directory: Path) -> None:
        arrays = {
            "items": self.items,
            "hours": self.hours,
            "damping": self.damping,
            "indptr": self.places.indptr,
            "users": self.places.indices,
            "places": self.places.data,
            "pace": np.asarray(self.pace),
        }
        save_arrays(directory, arrays)
