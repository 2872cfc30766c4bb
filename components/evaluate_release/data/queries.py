"""Reads held-out rows of the training set as queries: a history, and the item that came next."""

from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.errors import StepError
from components.evaluate_release.data.disliked_before import find_disliked_before
from components.query_limit import MAX_QUERIES
from components.row_preferences import list_offsets, preferences_by_row
from components.user_attributes import attributes_of
from feature_repo.attributes import Attributes
from feature_repo.feedback import FeedbackPolicy
from feature_repo.histories import History
from feature_repo.opinions import OPINION
from feature_repo.searches import Searches
from serving.release.arrays import FloatArray, distinct

Indexes = NDArray[np.int32]  # item indexes of a catalog, -1 for an item that is not in it
Times = NDArray[np.int64]  # µs since the epoch

NO_ITEMS: Final = np.empty(0, np.int32)

T = TypeVar("T")


@dataclass(frozen=True)
class Queries:
    """Parallel lists with one entry per query, sorted by (user, cutoff)."""

    user_ids: list[str]
    users: NDArray[np.int64]  # [queries] number of the query's user, from 0
    cutoffs: Times  # [queries] timestamp of the target interaction
    targets: Indexes  # [queries]
    histories: list[History]  # interactions before the cutoff, at most MAX_HISTORY
    items: list[Indexes]  # the histories' items that are in the catalog
    timestamps: list[Times]  # of `items`
    preferences: list[FloatArray]  # of `items`, as of the cutoff
    seen: list[Indexes]  # items to exclude because the user has seen them, ascending
    sampled_from: int  # number of queries before sampling
    attributes: list[Attributes] = field(default_factory=list)  # of each query's user, or empty
    disliked_before: list[Indexes] = field(default_factory=list)  # older than the history, or empty
    searches: list[Searches] = field(default_factory=list)  # the last ones before the cutoff, or empty

    def __len__(self) -> int:
        return len(self.histories)

    def liked(self) -> list[Indexes]:
        """Return [queries] the items of the history's positive interactions, oldest first."""
        pairs = zip(self.items, self.preferences, strict=True)
        return [items[preferences > 0] for items, preferences in pairs]

    def disliked(self) -> list[Indexes]:
        """Return [queries] the items that the user dislikes at the cutoff: they are never recommended."""
        before = self.disliked_before or [NO_ITEMS] * len(self)
        rows = zip(self.items, self.preferences, before, strict=True)
        return [np.concatenate([items[signs <= -OPINION], older]) for items, signs, older in rows]

    def repeated(self) -> NDArray[np.bool_]:
        """Return [queries] whether the target is a seen item: then it is excluded and can't be answered."""
        pairs = zip(self.targets, self.seen, strict=True)
        return np.fromiter((target in seen for target, seen in pairs), bool, len(self))

    def select(self, mask: NDArray[np.bool_]) -> "Queries":
        """Return the queries where `mask` [queries] is true."""
        chosen = np.flatnonzero(mask)

        def part(values: list[T]) -> list[T]:
            return [values[position] for position in chosen]

        return Queries(
            user_ids=part(self.user_ids),
            users=np.unique(self.users[chosen], return_inverse=True)[1].astype(np.int64),
            cutoffs=self.cutoffs[chosen],
            targets=self.targets[chosen],
            histories=part(self.histories),
            items=part(self.items),
            timestamps=part(self.timestamps),
            preferences=part(self.preferences),
            seen=part(self.seen),
            sampled_from=self.sampled_from,
            attributes=part(self.attributes) if self.attributes else [],
            disliked_before=part(self.disliked_before) if self.disliked_before else [],
            searches=part(self.searches) if self.searches else [],
        )

    def lengths(self) -> NDArray[np.int64]:
        """Return [queries] the number of interactions in the history."""
        return np.fromiter(map(len, self.histories), np.int64, len(self))


@dataclass(frozen=True)
class Windows:
    """Each user's newest interactions, one row per user."""

    items: list[Indexes]  # -1 for an item that is not in the catalog
    preferences: list[FloatArray]  # of `items`
    rows: pa.Table

    def __len__(self) -> int:
        return len(self.items)

    def history(self, position: int) -> History:
        """Return the history of one row, parallel to items[position]."""
        return _histories(self.rows.slice(position, 1))[0]


def read_queries(
    training_set: pa.Table,
    split: str,
    index: pa.Array,
    seed: int,
    feedback: FeedbackPolicy,
    keep_seen: bool = False,
    limit: int = MAX_QUERIES,
) -> Queries:
    """Read the queries of a split ("validation" or "test"); above `limit`, those of a random sample of users.

    Args:
        index: [items] string, the catalog's item ids.
        feedback: the sign and strength of each interaction.
        keep_seen: don't exclude items that the user has seen.

    Raises:
        StepError: the split has no query.
    """
    rows = _rows_of(training_set, split)
    if not len(rows):
        raise StepError(
            f"no {split} queries in the training set ({len(training_set)} rows): leave-one-out needs users "
            "with at least 3 interactions, the time protocol interactions after its cutoffs; use more data "
            "or the other protocol"
        )
    sample = _sample(rows, limit, seed)
    user_ids, cutoffs = sample["user_id"].to_pylist(), sample["cutoff"].cast(pa.int64()).to_numpy()
    items, timestamps = _indexes(sample["item_ids"], index), _arrays(sample["timestamps"])
    preferences = preferences_of(sample, feedback)
    by_user = {} if keep_seen else interactions_by_user(training_set, index)
    targets = pc.fill_null(pc.index_in(sample["target_item_id"], index), -1).to_numpy()
    return Queries(
        user_ids=user_ids,
        users=np.unique(np.asarray(user_ids), return_inverse=True)[1].astype(np.int64),
        cutoffs=cutoffs,
        targets=targets.astype(np.int32),
        histories=_histories(sample),
        items=[row[row >= 0] for row in items],
        timestamps=[times[row >= 0] for row, times in zip(items, timestamps, strict=True)],
        preferences=[signs[row >= 0] for row, signs in zip(items, preferences, strict=True)],
        seen=[NO_ITEMS] * len(sample) if keep_seen else _seen(by_user, user_ids, cutoffs, items),
        sampled_from=len(rows),
        attributes=attributes_of(sample),
        disliked_before=find_disliked_before(training_set, sample, index, feedback),
    )


def read_windows(
    training_set: pa.Table, index: pa.Array, seed: int, feedback: FeedbackPolicy, limit: int = MAX_QUERIES
) -> Windows:
    """Read the newest window of each user of the split "all"; above `limit`, of a random sample of users."""
    rows = _sample(_rows_of(training_set, "all"), limit, seed)
    users = rows["user_id"].to_numpy(zero_copy_only=False)
    rows = rows.filter(pa.array(np.append(users[1:] != users[:-1], True)[: len(rows)]))
    return Windows(_indexes(rows["item_ids"], index), preferences_of(rows, feedback), rows)


def preferences_of(rows: pa.Table, feedback: FeedbackPolicy) -> list[FloatArray]:
    """Return [rows] the preferences of each row's history."""
    return np.split(preferences_by_row(rows, feedback), list_offsets(rows["item_ids"])[1:-1])


def interactions_by_user(
    training_set: pa.Table, index: pa.Array, split: str = "all"
) -> dict[str, tuple[Indexes, Times]]:
    """Map each user to the items and timestamps of all interactions in a split; "all" is the snapshot."""
    rows = _rows_of(training_set, split)
    items, timestamps = _indexes(rows["item_ids"], index), _arrays(rows["timestamps"])
    windows: dict[str, list[int]] = {}
    for position, user_id in enumerate(rows["user_id"].to_pylist()):
        windows.setdefault(user_id, []).append(position)
    return {
        user_id: (np.concatenate([items[p] for p in own]), np.concatenate([timestamps[p] for p in own]))
        for user_id, own in windows.items()
    }


def _seen(
    by_user: dict[str, tuple[Indexes, Times]], user_ids: list[str], cutoffs: Times, items: list[Indexes]
) -> list[Indexes]:
    """Return the items before each cutoff, also those from before the history, which is cut to a window."""
    nothing = (NO_ITEMS, np.empty(0, np.int64))
    seen = []
    for user_id, cutoff, recent in zip(user_ids, cutoffs, items, strict=True):
        own_items, timestamps = by_user.get(user_id, nothing)
        before = distinct(np.concatenate([own_items[timestamps < cutoff], recent]))
        seen.append(before[before >= 0])
    return seen


def _rows_of(training_set: pa.Table, split: str) -> pa.Table:
    return training_set.filter(pc.equal(training_set["split"], split))


def sample_users(rows: pa.Table, limit: int, seed: int) -> pa.Array:
    """Return all users of `rows`, or a random sample of users who have at most `limit` rows."""
    counted = rows["user_id"].value_counts()
    users, counts = (counted.field(name) for name in ("values", "counts"))
    if len(rows) <= limit:
        return users
    in_order = pc.sort_indices(users).to_numpy()
    shuffled = np.random.default_rng(seed).permutation(in_order)
    return users.take(shuffled[np.cumsum(counts.to_numpy()[shuffled]) <= limit])


def _sample(rows: pa.Table, limit: int, seed: int) -> pa.Table:
    return rows.filter(pc.is_in(rows["user_id"], sample_users(rows, limit, seed)))


def _histories(rows: pa.Table) -> list[History]:
    columns = ("interaction_ids", "item_ids", "event_types", "values", "timestamps")
    lists = [[row.tolist() for row in _arrays(rows[name])] for name in columns]
    return [History(*row) for row in zip(*lists, strict=True)]


def _indexes(column: pa.ChunkedArray, index: pa.Array) -> list[Indexes]:
    lists = column.combine_chunks()
    indexes = pc.fill_null(pc.index_in(lists.flatten(), index), -1)
    return np.split(indexes.to_numpy(zero_copy_only=False).astype(np.int32), list_offsets(column)[1:-1])


def _arrays(column: pa.ChunkedArray) -> list[NDArray[Any]]:
    # Equal texts become one Python object: those of a history take most of a query's memory.
    flat = column.combine_chunks().flatten().to_pandas(deduplicate_objects=True).to_numpy()
    return np.split(flat, list_offsets(column)[1:-1])
