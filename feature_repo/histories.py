"""A user's history, and how new interactions join it: the one rule that training and serving share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from feature_repo.contract import IMPRESSION, MAX_HISTORY, PAD


@dataclass(frozen=True, slots=True)
class Interaction:
    """One event; `timestamp` in microseconds since the epoch (UTC), `value` NaN when there is none."""

    interaction_id: str
    user_id: str
    item_id: str
    event_type: str
    timestamp: int
    value: float = float("nan")
    domain: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """A user's last interactions, oldest first, by (timestamp, interaction_id); five parallel lists."""

    interaction_ids: list[str] = field(default_factory=list)
    item_ids: list[str] = field(default_factory=list)
    event_types: list[str] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    timestamps: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.item_ids)

    def extend(self, interactions: Iterable[Interaction], max_history: int = MAX_HISTORY) -> "History":
        """The history with `interactions` merged in by interaction id, cut to the last `max_history`.

        Impressions stay out: what somebody was shown is no interest.
        """
        known = set(self.interaction_ids)
        fresh = {
            i.interaction_id: i
            for i in interactions
            if i.interaction_id not in known and i.event_type != IMPRESSION
        }
        if not fresh:
            return self
        old = zip(
            self.timestamps, self.interaction_ids, self.item_ids, self.event_types, self.values, strict=True
        )
        new = ((i.timestamp, i.interaction_id, i.item_id, i.event_type, i.value) for i in fresh.values())
        rows = sorted([*old, *new], key=lambda row: row[:2])[-max_history:]
        timestamps, ids, items, events, values = (list(column) for column in zip(*rows, strict=True))
        return History(ids, items, events, values, timestamps)


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
