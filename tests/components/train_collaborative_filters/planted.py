"""Data sets with obvious answers, as interactions and as files of a run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from components.train_collaborative_filters.interactions import Interactions
from components.train_collaborative_filters.signed_interactions import SignedInteractions
from feature_repo.table_schemas import ITEMS, TRAINING_SET

SECOND = 1_000_000

# A day in 2026, µs since the epoch.
START = 1_780_000_000 * SECOND


def interactions(sequences: Sequence[ArrayLike], item_count: int) -> Interactions:
    """Return interactions from one list of item indexes per user, one interaction a second."""
    arrays = [np.asarray(sequence, np.int32) for sequence in sequences]
    lengths = [len(array) for array in arrays]
    return Interactions(
        users=np.repeat(np.arange(len(sequences)), lengths).astype(np.int32),
        items=np.concatenate(arrays),
        timestamps=np.concatenate([START + SECOND * np.arange(length, dtype=np.int64) for length in lengths]),
        weights=np.ones(sum(lengths), np.float32),
        user_count=len(sequences),
        item_count=item_count,
    )


def in_steps(steps: Sequence[Sequence[int]], sequences: Sequence[ArrayLike], item_count: int) -> Interactions:
    """Return the same with the number of each interaction's step; steps are a day apart."""
    world = interactions(sequences, item_count)
    days = np.concatenate([np.asarray(user, np.int64) for user in steps])
    return replace(world, timestamps=START + 86_400 * SECOND * days)


def signed(votes: Interactions, dislikes: Interactions | None = None) -> SignedInteractions:
    """Return interactions of which `votes` are positive, and `dislikes` (none by default) negative."""
    nothing = votes.select(np.zeros(len(votes), bool))
    return SignedInteractions(votes, votes, nothing if dislikes is None else dislikes)


def checkerboard(users: int = 40, items: int = 12) -> Interactions:
    """Even users choose all even items but one, in a cycle; odd users all odd items but one.

    The answer for a user is the missing item, which is the next one of the cycle.
    """
    rounds = [np.roll(np.arange(user % 2, items, 2), user // 2)[:-1] for user in range(users)]
    return interactions(rounds, items)


def write(
    directory: Path, interactions: Interactions, window: int = 200, split: str = "train"
) -> tuple[Path, Path]:
    """Write a training set, newest window first, and its items; ids are "user-03" and "item-5"."""
    rows = []
    for user in range(interactions.user_count):
        own = np.flatnonzero(interactions.users == user)
        for end in range(len(own), 0, -window):
            part = own[max(0, end - window) : end]
            rows.append(
                {
                    "user_id": f"user-{user:02}",
                    "cutoff": int(interactions.timestamps[part[-1]]) + 1,
                    "split": "train",
                    "item_ids": [f"item-{item}" for item in interactions.items[part]],
                    "event_types": ["view"] * len(part),
                    "values": [float("nan")] * len(part),
                    "timestamps": interactions.timestamps[part].tolist(),
                }
            )
    training_set, items = directory / "training_set.parquet", directory / "items.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=TRAINING_SET), training_set)
    catalog = [{"item_id": f"item-{item}", "categories": []} for item in range(interactions.item_count)]
    pq.write_table(pa.Table.from_pylist(catalog, schema=ITEMS), items)
    return training_set, items
