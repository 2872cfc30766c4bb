"""Reads users' features as of an earlier snapshot, from the tables that materialize_features keeps of it."""

import math
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.contract import (
    DISLIKED_BEFORE,
    HISTORY_LISTS,
    SEARCH_TIMES,
    SEARCHES,
    SEEN_BEFORE,
    USER_HISTORY,
    USER_PROFILE,
)
from feature_repo.filesystems import open_binary
from feature_repo.histories import History
from feature_repo.interest_state import InterestState
from feature_repo.searches import Searches
from feature_repo.store_addresses import interest_states_of, past_features, table_path
from serving.online_store.online_features import UserFeatures

_BOOKKEEPING: Final = ("user_id", "event_timestamp", "created")


class PastFeatures:
    """The features as of one snapshot, with the interest states under one release, where these are kept."""

    max_read_s = math.inf

    def __init__(self, features: str, snapshot: int, release: int, users: Collection[str] = ()) -> None:
        """Nothing is read yet.

        Args:
            features: a directory or an fsspec URL.
            snapshot: as_of, µs since the epoch.
            users: those whose rows are read together, and kept in memory: up to 50 KB each. Further users
                are read one by one.
        """
        self._location, self._snapshot, self._release = past_features(features, snapshot), snapshot, release
        self._users, self._together = frozenset(users), dict[str, _Rows]()  # by name of the table

    def read(self, user_id: str, known_version: Hashable) -> tuple[Hashable, UserFeatures | None]:
        """Return the snapshot's time, and the user's features; None if they are not kept."""
        history, profile = (self._row(name, user_id) for name in (USER_HISTORY, USER_PROFILE))
        if history is None or profile is None:
            return self._snapshot, None
        known = {name: value for name, value in profile.items() if value is not None}
        before = {name: known.pop(name, ()) for name in (SEEN_BEFORE, DISLIKED_BEFORE)}
        searches = Searches(known.pop(SEARCHES, ()), known.pop(SEARCH_TIMES, ()))
        lists = {name: history[name] for name in HISTORY_LISTS}
        return self._snapshot, UserFeatures(
            History(**lists), self._snapshot, known, self._state(user_id), searches=searches, **before
        )

    def _state(self, user_id: str) -> InterestState | None:
        row = self._row(interest_states_of(self._release), user_id)
        if row is None:
            return None
        vectors = (np.array(row[name], np.float32) for name in ("state", "interest"))
        return InterestState(self._release, row["as_of"], *vectors)

    def _row(self, name: str, user_id: str) -> dict[str, Any] | None:
        """Return a user's row of a table; None if there is no such table or row."""
        address = table_path(self._location, name)
        if user_id not in self._users:
            return _Rows.read(address, [user_id]).of(user_id)
        if name not in self._together:
            self._together[name] = _Rows.read(address, sorted(self._users))
        return self._together[name].of(user_id)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of some users; stays an Arrow table, which takes a fraction of the memory of Python objects."""

    table: pa.Table
    numbers: dict[str, int]  # user id -> number of the row

    @classmethod
    def read(cls, address: str, users: Sequence[str]) -> "_Rows":
        """Read the rows of sorted users; none if there is no such table."""
        try:
            file = open_binary(address)
        except FileNotFoundError:
            return cls(pa.table({}), {})
        # By the range, the statistics of the row groups tell which ones to skip; by a list of more than 50
        # users they do not (findings/pyarrow_list_filter_of_51_values.sh).
        # Threads and buffers ahead of the reading would hold a large part of a large table in memory.
        wanted = [("user_id", ">=", users[0]), ("user_id", "<=", users[-1]), ("user_id", "in", users)]
        with file:
            table = pq.read_table(file, filters=wanted, use_threads=False, pre_buffer=False)
        ids = table["user_id"].to_pylist()
        columns = [column for column in table.column_names if column not in _BOOKKEEPING]
        return cls(table.select(columns), {user_id: number for number, user_id in enumerate(ids)})

    def of(self, user_id: str) -> dict[str, Any] | None:
        """Return a user's row; None if there is none."""
        number = self.numbers.get(user_id)
        return None if number is None else self.table.slice(number, 1).to_pylist()[0]
