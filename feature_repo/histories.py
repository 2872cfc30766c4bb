"""A user's history and how interactions are added to it: one implementation for training and serving."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo.contract import MAX_HISTORY, PAD
from feature_repo.event_types import IMPRESSION
from feature_repo.interaction import Interaction
from feature_repo.lazy_list import LazyList


@dataclass(frozen=True, slots=True)
class History:
    """A user's last interactions: five parallel lists, ordered by (timestamp, interaction_id), oldest first.

    The lists may be lazy (feature_repo.lazy_list): most requests read two of them.
    """

    interaction_ids: Sequence[str] = field(default_factory=list)
    item_ids: Sequence[str] = field(default_factory=list)
    event_types: Sequence[str] = field(default_factory=list)
    values: Sequence[float] = field(default_factory=list)
    timestamps: Sequence[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.item_ids)

    def new_interactions(self, interactions: Iterable[Interaction]) -> list[Interaction]:
        """Return the `interactions` that the history does not contain, in its order, without duplicate ids.

        Skips impressions, which show no interest of the user, and searches (see feature_repo.searches).
        """
        new = {i.interaction_id: i for i in interactions if i.event_type != IMPRESSION and not i.is_search}
        last = self.timestamps[-1] if new and len(self) else -1
        if any(i.timestamp <= last for i in new.values()):  # later ones can't be in the history
            contained = set(self.interaction_ids)
            new = {id: i for id, i in new.items() if id not in contained}
        return sorted(new.values(), key=lambda i: (i.timestamp, i.interaction_id))

    def extend(self, interactions: Iterable[Interaction], max_history: int = MAX_HISTORY) -> "History":
        """Return the history with the new ones of `interactions` added, cut to the last `max_history`."""
        return self.join(self.new_interactions(interactions), max_history)

    def join(self, interactions: Sequence[Interaction], max_history: int = MAX_HISTORY) -> "History":
        """Return the history with `interactions`, which new_interactions returned, cut to `max_history`."""
        if not interactions:
            return self
        new = History(
            [i.interaction_id for i in interactions],
            [i.item_id for i in interactions],
            [i.event_type for i in interactions],
            [i.value for i in interactions],
            [i.timestamp for i in interactions],
        )
        return self.followed_by(new, max_history)

    def followed_by(self, other: "History", max_history: int = MAX_HISTORY) -> "History":
        """Return the interactions of both in order, cut to the last `max_history`."""
        if len(self) and len(other):
            return _join(self, other, max_history)
        return (self if len(self) else other).newest(max_history)

    def newest(self, max_history: int = MAX_HISTORY) -> "History":
        """Return the last `max_history` interactions."""
        if len(self) <= max_history:
            return self
        part = slice(-max_history, None)
        return History(
            self.interaction_ids[part],
            self.item_ids[part],
            self.event_types[part],
            self.values[part],
            self.timestamps[part],
        )


def _join(old: History, new: History, max_history: int) -> History:
    names = ("timestamps", "interaction_ids", "item_ids", "event_types", "values")
    pairs = [(getattr(old, name), getattr(new, name)) for name in names]
    # New interactions are nearly always later than the history; then no sort is needed.
    if _follows(new, old):
        length = min(max_history, len(old) + len(new))
        columns: list[Sequence[Any]] = [Concatenated(before, after, length) for before, after in pairs]
    else:
        whole = zip(*([*before, *after] for before, after in pairs), strict=True)
        rows = sorted(whole, key=lambda row: row[:2])[-max_history:]
        columns = [list(column) for column in zip(*rows, strict=True)]
    timestamps, ids, items, events, values = columns
    return History(ids, items, events, values, timestamps)


def _follows(new: History, old: History) -> bool:
    """Return whether all of `new`, which is not empty, comes after all of `old`; ids decide equal times."""
    last, first = (old.timestamps[-1] if len(old) else -1), new.timestamps[0]
    return last < first or (last == first and old.interaction_ids[-1] < new.interaction_ids[0])


class Concatenated(LazyList):
    """The last `length` values of two sequences, one after the other."""

    __slots__ = ("_after", "_before", "_length")

    def __init__(self, before: Sequence[Any], after: Sequence[Any], length: int) -> None:
        self._before, self._after, self._length = before, after, length

    def _read(self) -> list[Any]:
        return [*self._before, *self._after][-self._length :]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        return self._after[-1] if index == -1 else super().__getitem__(index)


def encode(histories: Sequence[History]) -> dict[str, NDArray[np.generic]]:
    """Return the sequence inputs of the SavedModel, each [batch, 1 + longest history], right-padded.

    The dtypes are str (object), str (object), float32 and int64, as in contract.SEQUENCE_INPUTS.

    Each row starts with padding: TensorFlow Serving's batching pads with the first element of a tensor
    (tensorflow_serving/batching/batching_util.cc), and an empty history needs at least one element.
    """
    shape = (len(histories), 1 + max((len(history) for history in histories), default=0))
    item_ids, event_types = np.full(shape, PAD, dtype=object), np.full(shape, PAD, dtype=object)
    values, timestamps = np.full(shape, np.nan, np.float32), np.zeros(shape, np.int64)
    for row, history in enumerate(histories):
        span = slice(1, 1 + len(history))
        item_ids[row, span] = history.item_ids
        event_types[row, span] = history.event_types
        values[row, span] = history.values
        timestamps[row, span] = history.timestamps
    return {"item_ids": item_ids, "event_types": event_types, "values": values, "timestamps": timestamps}
