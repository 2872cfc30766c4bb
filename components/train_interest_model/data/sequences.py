"""Encodes rows of the training set as flat arrays, and batches them right-padded."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.errors import StepError
from components.row_preferences import flat_values, flatten, list_offsets
from components.train_interest_model.data.vocabulary import (
    SKIPPED,
    Vocabulary,
    encode_gaps,
    encode_positions,
)
from components.user_attributes import with_attributes
from feature_repo.contract import ATTRIBUTE_INPUTS

IntArray = NDArray[np.int32]
FloatArray = NDArray[np.float32]
# Name -> [rows, length] codes or weights, [rows, attributes] codes, or [rows] lengths.
Batch = dict[str, NDArray[Any]]

# Interactions of a row's first step are predicted from the initial state.
START: Final = -1

INPUTS: Final = ("items", "events", "values", "gaps", "positions")
TARGETS: Final = ("predicted_from", "target_weights")
# Length classes per doubling of the length: a batch has windows of one or a few neighbouring classes.
LENGTH_CLASSES: Final = 2
# An epoch on a part of the rows has so many batches at least, if there are: a few steps teach nothing.
LEAST_BATCHES: Final = 32
COLUMNS: Final = ("user_id", "cutoff", "target_item_id", "item_ids", "event_types", "values", "timestamps")


@dataclass(frozen=True)
class Sequences:
    """Concatenated histories: row r is [offsets[r], offsets[r + 1]) of each flat array, oldest first."""

    offsets: NDArray[np.int64]  # [rows + 1]
    items: IntArray  # [interactions] item index
    events: IntArray  # [interactions] event type code
    values: IntArray  # [interactions] value bucket
    gaps: IntArray  # [interactions] time gap bucket
    positions: IntArray  # [interactions] bucket of the position in the window
    # [interactions] position in the row of the last interaction of the step before, START in the first step.
    # A step is all interactions of a row with one timestamp; their order means nothing.
    predicted_from: IntArray
    target_weights: FloatArray  # [interactions] weight in the loss, 0 for an interaction that is no target
    attributes: IntArray  # [rows, largest number of attributes] attribute codes, 0 for none
    targets: IntArray  # [rows] item index, -1 for none
    users: NDArray[np.object_]  # [rows] user ids
    cutoffs: NDArray[Any]  # [rows] time of the query, after the history
    # [rows] rows that are in every epoch; of the others an epoch has as many, drawn anew.
    in_every_epoch: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.offsets)

    @cached_property
    def row_weights(self) -> NDArray[np.float64]:
        """[rows] the sum of the target weights of each row."""
        weights, filled = np.zeros(len(self)), np.flatnonzero(self.lengths)
        if len(filled):
            weights[filled] = np.add.reduceat(self.target_weights, self.offsets[filled], dtype=np.float64)
        return weights

    def of_row(self, row: int) -> IntArray:
        """Return the items of one history."""
        return self.items[self.offsets[row] : self.offsets[row + 1]]

    def begins_with(self, row: int, other: int) -> bool:
        """Return whether a row's inputs begin with those of another one; both with equal attributes."""
        (start, end), (begin, stop) = (self.offsets[at : at + 2] for at in (row, other))
        if stop - begin > end - start or not np.array_equal(self.attributes[row], self.attributes[other]):
            return False
        flat = (getattr(self, name) for name in INPUTS)
        return all(np.array_equal(part[start : start + stop - begin], part[begin:stop]) for part in flat)

    @property
    def target_items(self) -> IntArray:
        """[targets] item index of each interaction that is a target of the loss."""
        return self.items[self.target_weights > 0]

    def pad(self, rows: NDArray[np.int64], width: int) -> Batch:
        """Return inputs and targets [rows, width] right-padded with 0, the rows' attributes and lengths."""
        lengths = np.minimum(self.lengths[rows], width)
        valid = np.arange(width) < lengths[:, None]
        indexes = (self.offsets[rows][:, None] + np.arange(width))[valid]
        padded: Batch = {}
        for name in (*INPUTS, *TARGETS):
            flat = getattr(self, name)
            padded[name] = np.zeros(valid.shape, flat.dtype)
            padded[name][valid] = flat[indexes]
        return {**padded, "attributes": self.attributes[rows], "lengths": lengths.astype(np.int32)}

    def batch_rows(self, positions: int, seed: int) -> Iterator[tuple[NDArray[np.int64], int]]:
        """Yield the rows of each batch and its width: an epoch's rows once, batches in random order.

        An epoch has the rows with a target that are in every epoch, and as many others, or more if these give
        fewer than LEAST_BATCHES. A batch has windows of similar length, at most `positions` interactions, its
        padding included, and at least one window.
        """
        random = np.random.default_rng(seed)
        rows, cuts = self._cuts(positions, random)
        for cut in random.permutation(len(cuts) - 1):
            chosen = rows[cuts[cut] : cuts[cut + 1]]
            yield chosen, int(self.lengths[chosen].max())

    def count_batches(self, positions: int, seed: int) -> int:
        """Return the number of batches with these arguments."""
        return len(self._cuts(positions, np.random.default_rng(seed))[1]) - 1

    def rows_per_batch(self, positions: int, seed: int) -> float:
        """Return the mean number of rows of a batch with these arguments."""
        rows, cuts = self._cuts(positions, np.random.default_rng(seed))
        return len(rows) / (len(cuts) - 1)

    def without_seen_targets(self) -> "Sequences":
        """Return the same, but an item that its row has up to the step before is no target."""
        rows = np.repeat(np.arange(len(self)), self.lengths)
        positions = np.arange(len(self.items)) - self.offsets[:-1][rows]
        keys = rows * (1 + np.max(self.items, initial=0).astype(np.int64)) + self.items
        _, first, places = np.unique(keys, return_index=True, return_inverse=True)
        is_seen = positions[first][places] <= self.predicted_from
        return replace(self, target_weights=np.where(is_seen, np.float32(0), self.target_weights))

    def _cuts(self, positions: int, random: np.random.Generator) -> tuple[NDArray[np.int64], list[int]]:
        """Return an epoch's rows, in random order within a class, and the bounds of the batches."""
        always, others = (
            random.permutation(np.flatnonzero((self.row_weights > 0) & chosen))
            for chosen in (self.in_every_epoch, ~self.in_every_epoch)
        )
        lacking = LEAST_BATCHES * positions - int(self.lengths[always].sum())
        least = 1 + int(np.searchsorted(np.cumsum(self.lengths[others]), lacking))
        rows = np.concatenate([always, others[: max(len(always), least)]])
        lengths = self.lengths[rows]
        order = np.argsort(np.floor(LENGTH_CLASSES * np.log2(lengths)), kind="stable")
        return rows[order], _cuts(lengths[order], positions)


def _cuts(lengths: NDArray[np.int64], positions: int) -> list[int]:
    """Return where to split the rows so that no padded batch has more than `positions`."""
    cuts, longest = [0], 0
    for row, length in enumerate(lengths):
        longest = max(longest, length)
        if row > cuts[-1] and (row - cuts[-1] + 1) * longest > positions:
            cuts.append(row)
            longest = length
    return [*cuts, len(lengths)]


def read_rows(training_set: Path, split: str) -> pa.Table:
    """Read the rows of a split, sorted by (user, cutoff), since Feast's join returns no fixed order.

    Raises:
        StepError: a column is missing.
    """
    existing = set(pq.read_schema(training_set).names)
    missing = set(COLUMNS) - existing
    if missing:
        raise StepError(
            f"{training_set} has no column {', '.join(sorted(missing))}: expected the training set that "
            "`fetch training set` writes; run the pipeline from there again"
        )
    columns = [*COLUMNS, *(name for name in ATTRIBUTE_INPUTS if name in existing)]
    rows = with_attributes(pq.read_table(training_set, columns=columns, filters=[("split", "=", split)]))
    return rows.sort_by([("user_id", "ascending"), ("cutoff", "ascending")])


def encode(rows: pa.Table, vocabulary: Vocabulary, preferences: FloatArray | None = None) -> Sequences:
    """Encode rows; interactions whose item, event type or value the model does not read are dropped.

    Args:
        rows: sorted by user and cutoff.
        preferences: [interactions of `rows`]; positive interactions are targets. None: there are no targets.
    """
    all_offsets = list_offsets(rows["item_ids"])
    items = vocabulary.encode_items(flatten(rows["item_ids"]))
    events = vocabulary.encode_events(flatten(rows["event_types"]))
    values = vocabulary.encode_values(flat_values(rows))
    read = (items >= 0) & (events != SKIPPED) & vocabulary.read_table[events, values]
    offsets = np.concatenate([[0], np.cumsum(read)])[all_offsets]
    timestamps = flatten(rows["timestamps"]).to_numpy().astype(np.int64)[read]
    return Sequences(
        offsets=offsets,
        items=items[read],
        events=events[read],
        values=values[read],
        gaps=encode_gaps(timestamps, _previous(timestamps, offsets)),
        positions=encode_positions(np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))),
        predicted_from=_predicted_from(timestamps, offsets),
        target_weights=np.zeros(offsets[-1], np.float32)
        if preferences is None
        else np.maximum(preferences[read], 0),
        attributes=_attributes(rows, vocabulary),
        targets=vocabulary.encode_items(rows["target_item_id"].combine_chunks()),
        users=rows["user_id"].to_numpy(zero_copy_only=False),
        cutoffs=rows["cutoff"].to_numpy(zero_copy_only=False),
        in_every_epoch=np.ones(len(rows), bool),
    )


def flat_attributes(rows: pa.Table) -> tuple[NDArray[np.int64], pa.Array, NDArray[np.float32]]:
    """Return offsets [rows + 1], and the concatenated names and values of the users' attributes."""
    names, values = (flatten(rows[name]) for name in ATTRIBUTE_INPUTS)
    floats = values.to_numpy(zero_copy_only=False).astype(np.float32)
    return list_offsets(rows["attributes"]), names, floats


def _attributes(rows: pa.Table, vocabulary: Vocabulary) -> IntArray:
    offsets, names, values = flat_attributes(rows)
    lengths = np.diff(offsets)
    codes = np.zeros((len(rows), int(lengths.max(initial=0))), np.int32)
    codes[np.arange(codes.shape[1]) < lengths[:, None]] = vocabulary.encode_attributes(names, values)
    return codes


def _previous(timestamps: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the previous timestamp in the row, 0 for a row's first."""
    previous = np.concatenate([[0], timestamps[:-1]])[: len(timestamps)]
    previous[offsets[:-1][np.diff(offsets) > 0]] = 0
    return previous


def _predicted_from(timestamps: NDArray[np.int64], offsets: NDArray[np.int64]) -> IntArray:
    """Return for each interaction the position in the row at which the step before ends, or START."""
    count = len(timestamps)
    positions = np.arange(count) - np.repeat(offsets[:-1], np.diff(offsets))
    begins = (positions == 0) | np.concatenate([[True], timestamps[1:] != timestamps[:-1]])[:count]
    first_of_step = np.maximum.accumulate(np.where(begins, np.arange(count), 0))
    return (positions[first_of_step] - 1).astype(np.int32)
