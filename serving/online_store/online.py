"""Reads a user's features from Feast's online store.

`FeatureStore.get_online_features` runs the same queries at many times the cost.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from feature_repo.addresses import FeatureStoreAddresses, is_file
from feature_repo.contract import (
    HISTORY_LISTS,
    SEEN_BEFORE,
    USER_HISTORY,
    USER_INTEREST_STATE,
    USER_PROFILE,
)
from feature_repo.histories import History
from feature_repo.interest_state import InterestState
from serving.lru_cache import LruCache
from serving.online_store.change_counter import SqliteChangeCounter
from serving.online_store.readers import Reader, RedisReader, SqliteReader
from serving.online_store.registry import read_features
from serving.online_store.sqlite_connections import SqliteConnection, SqliteConnections
from serving.online_store.stored_values import decode

# Longest wait for Redis; the caller enforces the deadline of the request.
_REDIS_TIMEOUT_S: Final = 0.5

# In WAL mode a reader waits only while another process recovers the file.
_LOCK_TIMEOUT_S: Final = 0.05

# Users in the cache, about 15 KB each.
_CACHED_USERS: Final = 800


class FeaturesUnavailable(Exception):
    """The online store or its registry can't be read; the message says which step writes it."""


@dataclass(frozen=True, slots=True)
class UserFeatures:
    """A user's features as of the last materialization, at `as_of` (µs since the epoch)."""

    history: History
    as_of: int
    profile: dict[str, str | float] = field(default_factory=dict)
    interest_state: InterestState | None = None  # computed from this history
    seen_before: Sequence[str] = ()  # items of interactions older than the history


class OnlineFeatures:
    """Reads a user's history, profile and interest state; safe to share between threads."""

    def __init__(self, addresses: FeatureStoreAddresses) -> None:
        """Reads the registry; the address of the feature tables appears in error messages only.

        Raises:
            FeaturesUnavailable: the registry can't be read, or has no feature views yet.
        """
        registry, online_store = addresses.registry, addresses.online_store
        self._online_store = online_store
        self._next_step = f"run the pipeline, which materializes {addresses.features or 'the features'}"
        try:
            views = read_features(registry, (USER_HISTORY, USER_PROFILE, USER_INTEREST_STATE))
        except Exception as error:  # errors of files, object stores and databases share no base class
            raise FeaturesUnavailable(
                f"Feast's registry {registry} can't be read ({error}); {self._next_step}"
            ) from error
        self._features = list(views.values())
        self._change_counter: SqliteChangeCounter | None = None
        self._cache = LruCache[str, tuple[int, UserFeatures | None]](_CACHED_USERS)
        self.gives_up_after_s = math.inf  # a network read has no upper bound
        if is_file(online_store):
            self.gives_up_after_s = _LOCK_TIMEOUT_S
            file = Path(online_store).absolute()
            self._read: Reader = SqliteReader(SqliteConnections(file, _LOCK_TIMEOUT_S), views)
            self._change_counter = SqliteChangeCounter(SqliteConnection(file, _LOCK_TIMEOUT_S))
        else:
            self._read = RedisReader(online_store, views, _REDIS_TIMEOUT_S)

    def user(self, user_id: str) -> UserFeatures | None:
        """Return a user's features, or None for a user that was never materialized.

        With SQLite, returns the same object until the next write to the store.

        Raises:
            FeaturesUnavailable: the online store is missing or does not answer.
        """
        try:
            if self._change_counter is None:
                return self._user(user_id)
            changes = self._change_counter.changes()
            cached = self._cache.get(user_id)
            if cached is None or cached[0] != changes:
                cached = changes, self._user(user_id)
                self._cache.put(user_id, cached)
            return cached[1]
        except Exception as error:  # errors of sqlite3, Redis and the file system share no base class
            raise FeaturesUnavailable(
                f"online store {self._online_store} can't be read ({error}); {self._next_step}"
            ) from error

    def _user(self, user_id: str) -> UserFeatures | None:
        history, profile, state = map(_decode_view, self._features, self._read(user_id))
        if not history:
            return None
        lists = {name: history[name] for name in HISTORY_LISTS}
        seen_before = profile.pop(SEEN_BEFORE, ())
        interest_state = _interest_state(state, history["as_of"])
        return UserFeatures(History(**lists), history["as_of"], profile, interest_state, seen_before)


def _interest_state(state: Mapping[str, Any], snapshot: int) -> InterestState | None:
    """Return None if the state belongs to another snapshot: the two views are written one after the other."""
    if state.get("snapshot") != snapshot:
        return None
    vectors = (np.fromiter(state[name], np.float32) for name in ("state", "interest"))
    return InterestState(state["release"], state["as_of"], *vectors)


def _decode_view(features: Sequence[str], stored: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the features of a view that have a value; for a missing user, Redis returns empty ones.

    Ignores features that are in the store but no longer in the view.
    """
    decoded = {feature: decode(stored[feature]) for feature in features if feature in stored}
    return {feature: value for feature, value in decoded.items() if value is not None}
