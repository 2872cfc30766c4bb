"""Finds what users dislike by interactions older than their histories, as the online store has it."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.row_preferences import flat_values, flatten, list_offsets
from feature_repo.contract import MAX_DISLIKED_BEFORE, MAX_HISTORY
from feature_repo.feedback import FeedbackPolicy
from feature_repo.opinions import OPINION
from serving.release.arrays import NO_ITEMS, Indexes


def find_disliked_before(
    training_set: pa.Table, queries: pa.Table, index: pa.Array, feedback: FeedbackPolicy
) -> list[Indexes]:
    """Return for each of `queries`, rows of the training set, the disliked items, the last disliked first.

    The user's last opinion before the cutoff about each of them is a dislike, and MAX_HISTORY interactions or
    more follow it.

    Args:
        training_set: sorted by user and cutoff; its split "all" has each interaction once.
        index: [items] string, the catalog's item ids.
    """
    disliked = [NO_ITEMS] * len(queries)
    is_long = np.diff(list_offsets(queries["item_ids"])) >= MAX_HISTORY
    users, cutoffs = queries["user_id"].to_pylist(), queries["cutoff"].cast(pa.int64()).to_numpy()
    interactions = _Interactions(training_set, queries["user_id"].filter(pa.array(is_long)), index)
    for position in np.flatnonzero(is_long).tolist():
        disliked[position] = interactions.disliked_before(users[position], int(cutoffs[position]), feedback)
    return disliked


class _Interactions:
    """All interactions of some users, oldest first."""

    def __init__(self, training_set: pa.Table, users: pa.ChunkedArray, index: pa.Array) -> None:
        chosen = pc.and_(pc.equal(training_set["split"], "all"), pc.is_in(training_set["user_id"], users))
        rows = training_set.filter(chosen)
        offsets = list_offsets(rows["item_ids"])
        item_ids = flatten(rows["item_ids"])
        self._codes = item_ids.dictionary_encode().indices.to_numpy()
        self._items: NDArray[Any] = pc.fill_null(pc.index_in(item_ids, index), -1).to_numpy()
        self._event_types = flatten(rows["event_types"]).to_numpy(zero_copy_only=False)
        self._values, self._timestamps = flat_values(rows), flatten(rows["timestamps"]).to_numpy()
        self._spans: dict[str, tuple[int, int]] = {}
        for user, start, end in zip(rows["user_id"].to_pylist(), offsets[:-1], offsets[1:], strict=True):
            self._spans[user] = (self._spans.get(user, (int(start), 0))[0], int(end))

    def disliked_before(self, user: str, cutoff: int, feedback: FeedbackPolicy) -> Indexes:
        start, end = self._spans[user]
        own = slice(start, start + int(np.searchsorted(self._timestamps[start:end], cutoff)))
        preferences = feedback.preferences(
            self._codes[own], self._event_types[own].tolist(), self._values[own], self._timestamps[own]
        )
        older = preferences[: max(0, len(preferences) - MAX_HISTORY)]
        items = self._items[own][np.flatnonzero(older <= -OPINION)[::-1][:MAX_DISLIKED_BEFORE]]
        return items[items >= 0].astype(np.int32)
