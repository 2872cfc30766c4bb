"""Reads a user's features from Feast's online store.

`FeatureStore.get_online_features` runs the same queries at many times the cost.
"""

import hashlib
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from feature_repo.contract import (
    DISLIKED_BEFORE,
    HISTORY_LISTS,
    SEARCH_TIMES,
    SEARCHES,
    SEEN_BEFORE,
    USER_HISTORY,
    USER_INTEREST_STATE,
    USER_PROFILE,
)
from feature_repo.histories import History
from feature_repo.interest_state import InterestState
from feature_repo.searches import Searches
from feature_repo.store_addresses import FeatureStoreAddresses, is_file, without_password
from serving.online_store.change_counter import SqliteChangeCounter
from serving.online_store.feast_registry import read_features
from serving.online_store.readers import Reader, RedisReader, SqliteReader
from serving.online_store.sqlite_connections import LOCK_TIMEOUT_S, SqliteConnection, SqliteConnections
from serving.online_store.stored_values import decode

# Longest wait for Redis; the caller enforces the deadline of the request.
_REDIS_TIMEOUT_S: Final = 0.5


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
    disliked_before: Sequence[str] = ()  # those of them that the user dislikes, newest first
    searches: Searches = field(default_factory=Searches)


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
                f"Feast's registry {without_password(registry)} can't be read ({error}); {self._next_step}"
            ) from error
        self._feature_names = list(views.values())
        self._change_counter: SqliteChangeCounter | None = None
        self.max_read_s = math.inf  # a network read has no upper bound
        if is_file(online_store):
            self.max_read_s = LOCK_TIMEOUT_S
            file = Path(online_store).absolute()
            self._read_views: Reader = SqliteReader(SqliteConnections(file), views)
            self._change_counter = SqliteChangeCounter(SqliteConnection(file))
        else:
            self._read_views = RedisReader(online_store, views, _REDIS_TIMEOUT_S)

    def user(self, user_id: str) -> UserFeatures | None:
        """Return a user's features, or None for a user that was never materialized.

        Raises:
            FeaturesUnavailable: the online store is missing or does not answer.
        """
        read = self.read(user_id, None)
        return read[1] if read else None

    def read(self, user_id: str, known_version: Hashable) -> tuple[Hashable, UserFeatures | None] | None:
        """Return the version of a user's features and the features; None if it is still `known_version`.

        The version is never None. With SQLite it counts the writes to the store, and an unchanged user is not
        read. With Redis it is a digest of the stored values, and those of an unchanged user are not decoded.

        Raises:
            FeaturesUnavailable: the online store is missing or does not answer.
        """
        try:
            if self._change_counter is None:
                stored = self._read_views(user_id)
                digest = _digest(stored)
                return None if digest == known_version else (digest, self._decode(stored))
            changes = self._change_counter.changes()
            if changes == known_version:
                return None
            return changes, self._decode(self._read_views(user_id))
        except Exception as error:  # errors of sqlite3, Redis and the file system share no base class
            raise FeaturesUnavailable(
                f"online store {without_password(self._online_store)} can't be read ({error}); "
                f"{self._next_step}"
            ) from error

    def _decode(self, stored: Sequence[Mapping[str, bytes]]) -> UserFeatures | None:
        history, profile, state = map(_decode_view, self._feature_names, stored)
        if not history:
            return None
        lists = {name: history[name] for name in HISTORY_LISTS}
        before = {name: profile.pop(name, ()) for name in (SEEN_BEFORE, DISLIKED_BEFORE)}
        searches = Searches(profile.pop(SEARCHES, ()), profile.pop(SEARCH_TIMES, ()))
        interest_state = _interest_state(state, history["as_of"])
        return UserFeatures(
            History(**lists), history["as_of"], profile, interest_state, searches=searches, **before
        )


def _digest(stored: Sequence[Mapping[str, bytes]]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for view in stored:
        for feature, value in sorted(view.items()):
            digest.update(b"%s\0%d\0" % (feature.encode(), len(value)))
            digest.update(value)
        digest.update(b"\0")
    return digest.digest()


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
