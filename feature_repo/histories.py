"""A user's history, and how new interactions join it: the one rule that training and serving share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo.contract import IMPRESSION, MAX_HISTORY, PAD
from feature_repo.interaction import Interaction
from feature_repo.lazy_list import LazyList


@dataclass(frozen=True, slots=True)
class History:
    """A user's last interactions, oldest first, by (timestamp, interaction_id); five parallel lists.

    Sequences, because a feature store's own need no copy: most answers look at two of them.
    """

    interaction_ids: Sequence[str] = field(default_factory=list)
    item_ids: Sequence[str] = field(default_factory=list)
    event_types: Sequence[str] = field(default_factory=list)
    values: Sequence[float] = field(default_factory=list)
    timestamps: Sequence[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.item_ids)

    def new_interactions(self, interactions: Iterable[Interaction]) -> list[Interaction]:
        """Those of `interactions` that are not in it, in the history's order, each id once.

        Impressions are left out: what somebody was shown is no interest.
        """
        fresh = {i.interaction_id: i for i in interactions if i.event_type != IMPRESSION}
        last = self.timestamps[-1] if fresh and len(self) else -1
        if any(i.timestamp <= last for i in fresh.values()):  # what is later than all of it is not in it
            known = set(self.interaction_ids)
            fresh = {id: i for id, i in fresh.items() if id not in known}
        return sorted(fresh.values(), key=lambda i: (i.timestamp, i.interaction_id))

    def extend(self, interactions: Iterable[Interaction], max_history: int = MAX_HISTORY) -> "History":
        """The history with what it lacks of `interactions` merged in, cut to the last `max_history`."""
        return self.join(self.new_interactions(interactions), max_history)

    def join(self, fresh: Sequence[Interaction], max_history: int = MAX_HISTORY) -> "History":
        """The history with `fresh`, as `lacks` gives them, merged in, cut to the last `max_history`."""
        if not fresh:
            return self
        new = History(
            [i.interaction_id for i in fresh],
            [i.item_id for i in fresh],
            [i.event_type for i in fresh],
            [i.value for i in fresh],
            [i.timestamp for i in fresh],
        )
        return _join(self, new, max_history)


def _join(old: History, new: History, max_history: int) -> History:
    names = ("timestamps", "interaction_ids", "item_ids", "event_types", "values")
    pairs = [(getattr(old, name), getattr(new, name)) for name in names]
    # What was recorded since is nearly always later than all before, and then nothing needs sorting.
    if _follows(new, old):
        columns: list[Sequence[Any]] = [Appended(before, after, max_history) for before, after in pairs]
    else:
        whole = zip(*([*before, *after] for before, after in pairs), strict=True)
        rows = sorted(whole, key=lambda row: row[:2])[-max_history:]
        columns = [list(column) for column in zip(*rows, strict=True)]
    timestamps, ids, items, events, values = columns
    return History(ids, items, events, values, timestamps)


def _follows(new: History, old: History) -> bool:
    """Whether all of `new` [≥ 1] belongs behind all of `old`; ids are only looked at where they decide."""
    last, first = (old.timestamps[-1] if len(old) else -1), new.timestamps[0]
    return last < first or (last == first and old.interaction_ids[-1] < new.interaction_ids[0])


class Appended(LazyList):
    """The last of what stood before and what came after it."""

    __slots__ = ("_after", "_before", "_length")

    def __init__(self, before: Sequence[Any], after: Sequence[Any], most: int) -> None:
        self._before, self._after = before, after
        self._length = min(most, len(before) + len(after))

    def _read(self) -> list[Any]:
        return [*self._before, *self._after][-self._length :]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, place: Any) -> Any:
        return self._after[-1] if place == -1 else super().__getitem__(place)


def encode(histories: Sequence[History]) -> dict[str, NDArray[np.generic]]:
    """The sequence inputs of the SavedModel, each [batch, 1 + longest], right-padded.

    A pad stands first in each row: TensorFlow Serving's own batching pads with a tensor's first element
    (tensorflow_serving/batching/batching_util.cc), and it makes an empty history legal.
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
