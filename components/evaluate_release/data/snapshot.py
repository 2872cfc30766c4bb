"""Counts all interactions of the training set, a part of its rows after the other."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.hashed_ids import hash_ids
from components.row_preferences import flatten

# A column with more distinct values (prices, seconds) has no mix of values.
MAX_VALUES: Final = 20

NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Snapshot:
    """Counts of the split "all", which has each interaction once."""

    interactions: int
    items: int  # with an interaction, also those that are not in the catalog
    users: NDArray[np.uint64]  # [users] `hash_ids` of each, ascending: new ones can be counted
    item_counts: NDArray[np.int64]  # [items of the catalog] interactions
    first_seen: NDArray[np.int64]  # [items of the catalog] µs of the first interaction, else NEVER
    first: int  # µs, the oldest interaction; 0 for none
    last: int  # µs, the newest one; 0 for none
    event_types: Counter[str]
    values: Counter[float]  # such as ratings; empty if there are more than MAX_VALUES different ones

    @classmethod
    def of(cls, parts: Iterable[pa.Table], index: pa.Array) -> "Snapshot":
        """Count the interactions of `parts`, rows of the split "all".

        Args:
            index: [items] string, the catalog's item ids.
        """
        item_counts, first_seen = np.zeros(len(index), np.int64), np.full(len(index), NEVER)
        others, users, times = set[str](), [np.empty(0, np.uint64)], list[int]()
        event_types, values, has_mix = Counter[str](), Counter[float](), True
        for rows in parts:
            item_ids, timestamps = flatten(rows["item_ids"]), flatten(rows["timestamps"]).cast(pa.int64())
            codes = pc.index_in(item_ids, index)
            others.update(item_ids.filter(codes.is_null()).unique().to_pylist())
            items = codes.drop_null().to_numpy()
            item_counts += np.bincount(items, minlength=len(index))
            np.minimum.at(first_seen, items, timestamps.filter(codes.is_valid()).to_numpy())
            users.append(hash_ids(rows["user_id"].unique().to_pylist()))
            times += [time for time in pc.min_max(timestamps).as_py().values() if time is not None]
            event_types.update(_counts(flatten(rows["event_types"])))
            if has_mix:
                values.update(_counts(_known(flatten(rows["values"]))))
                has_mix = len(values) <= MAX_VALUES
        return cls(
            interactions=sum(event_types.values()),
            items=int(np.count_nonzero(item_counts)) + len(others),
            users=np.unique(np.concatenate(users)),
            item_counts=item_counts,
            first_seen=first_seen,
            first=min(times, default=0),
            last=max(times, default=0),
            event_types=event_types,
            values=values if has_mix else Counter(),
        )


def _known(values: pa.Array) -> pa.Array:
    return values.filter(pc.invert(pc.is_nan(values)))


def _counts(values: pa.Array) -> dict[Any, int]:
    return {pair["values"]: pair["counts"] for pair in values.value_counts().to_pylist()}
