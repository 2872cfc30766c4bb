"""Streams interactions by user, each labelled with its preference."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.build_features.time_conversion import microseconds
from components.build_features.user_ranges import in_range, user_ranges
from components.compute.engine import fetch
from feature_repo.feedback import FeedbackPolicy, FloatArray

# Interactions that are labelled at once, to limit memory; a user's interactions stay together.
ROWS_PER_BATCH: Final = 1_000_000

Integers = NDArray[np.int64]


def ranks(groups: Integers) -> Integers:
    """Return the number of equal values before each; equal ones are adjacent."""
    new = np.ones(len(groups), bool)
    new[1:] = groups[1:] != groups[:-1]
    starts = np.flatnonzero(new)
    result: Integers = np.arange(len(groups)) - starts[np.cumsum(new) - 1]
    return result


@dataclass(frozen=True)
class LabelledUsers:
    """The interactions of some users, by user, then time, then interaction id."""

    user_ids: pa.Array  # [users] string
    offsets: Integers  # [users + 1] the first interaction of each user; each has at least one
    item_ids: pa.Array  # [interactions] string
    timestamps: Integers  # [interactions] µs since the epoch
    preferences: FloatArray  # [interactions] as FeedbackPolicy.preferences gives them

    @cached_property
    def owners(self) -> Integers:
        """[interactions] the user of each."""
        return np.repeat(np.arange(len(self.user_ids)), np.diff(self.offsets))

    @cached_property
    def steps(self) -> Integers:
        """[users] the number of different times of each user."""
        first = np.ones(len(self.timestamps), bool)
        first[1:] = self.timestamps[1:] != self.timestamps[:-1]
        first[self.offsets[:-1]] = True
        counts: Integers = np.add.reduceat(first, self.offsets[:-1], dtype=np.int64)
        return counts


def read_labelled_users(
    interactions: ir.Table, policy: FeedbackPolicy, rows_per_batch: int = ROWS_PER_BATCH
) -> Iterator[LabelledUsers]:
    """Yield all users, ordered by id.

    A preference depends on all interactions of the user: a later return makes a purchase neutral.
    """
    for users in user_ranges(interactions, rows_per_batch):
        yield _label(fetch(in_order(in_range(interactions, users))), policy)


def in_order(interactions: ir.Table) -> ir.Table:
    """Return what the labels need, ordered by user, time and interaction id."""
    columns = interactions.select(
        "user_id",
        "item_id",
        "event_type",
        "interaction_id",
        micros=microseconds(interactions.timestamp),
        value=interactions.value.cast("float32"),
    )
    return columns.order_by("user_id", "micros", "interaction_id")


def _label(rows: pa.Table, policy: FeedbackPolicy) -> LabelledUsers:
    runs = pc.run_end_encode(rows["user_id"].combine_chunks())
    offsets = np.concatenate([[0], runs.run_ends.to_numpy()]).astype(np.int64)
    item_ids = rows["item_id"].combine_chunks()
    values = pc.fill_null(rows["value"], np.float32(np.nan)).to_numpy()
    codes = item_ids.dictionary_encode().indices.to_numpy()
    timestamps = rows["micros"].to_numpy()
    preferences = policy.preferences(codes, rows["event_type"].to_pylist(), values, timestamps, offsets)
    return LabelledUsers(runs.values, offsets, item_ids, timestamps, preferences)
