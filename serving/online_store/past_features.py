"""Reads users' features as of an earlier snapshot, from the tables that materialize_features keeps of it."""

import math
from collections.abc import Hashable
from typing import Any, Final

import numpy as np
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

    def __init__(self, features: str, snapshot: int, release: int) -> None:
        """`features`: a directory or an fsspec URL; `snapshot`: as_of, µs since the epoch."""
        self._location, self._snapshot, self._release = past_features(features, snapshot), snapshot, release

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
        try:
            file = open_binary(table_path(self._location, name))
        except FileNotFoundError:
            return None
        with file:
            rows = pq.read_table(file, filters=[("user_id", "=", user_id)]).to_pylist()
        return {key: rows[0][key] for key in rows[0] if key not in _BOOKKEEPING} if rows else None
