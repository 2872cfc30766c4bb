"""A user's features as serving reads them, straight from Feast's online store.

`FeatureStore.get_online_features` makes the same reads at many times the cost.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from feature_repo.addresses import is_file
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
from serving.online_store.readers import Reader, RedisReader, SqliteReader, value_of
from serving.online_store.registry import read_features
from serving.online_store.sqlite_connections import SqliteConnection, SqliteConnections

# A request can't wait for a Redis any longer; its own deadline is a matter of its caller.
_ANSWER_WITHIN_S: Final = 0.5

# Readers of SQLite wait for nobody but who recovers its file.
_WAIT_FOR_LOCK_S: Final = 0.05

# Users whose features are kept between two requests, at about 15 KB each.
_REMEMBERED: Final = 800


class FeaturesUnavailable(Exception):
    """The online store or its registry can't be read now; the message says what fills it."""


@dataclass(frozen=True, slots=True)
class UserFeatures:
    """A user as of the last materialization, `as_of` in µs since the epoch."""

    history: History
    as_of: int
    profile: dict[str, str | float] = field(default_factory=dict)
    interest_state: InterestState | None = None  # after exactly this history
    seen_before: Sequence[str] = ()  # items chosen before those of the history


class OnlineFeatures:
    """Reads one user's history, profile and interest state; any thread may ask."""

    def __init__(self, registry: str, online_store: str, features: str = "") -> None:
        """Addresses as feature_repo.store.open_store takes them; `features` is only named in errors.

        Raises:
            FeaturesUnavailable: the registry can't be read, or knows no features yet.
        """
        self._online_store = online_store
        self._next_step = f"run the pipeline, which materializes {features or 'the features'}"
        try:
            views = read_features(registry, (USER_HISTORY, USER_PROFILE, USER_INTEREST_STATE))
        except Exception as error:  # what files, object stores and databases raise shares no base class
            raise FeaturesUnavailable(
                f"Feast's registry {registry} can't be read ({error}); {self._next_step}"
            ) from error
        self._features = list(views.values())
        self._unchanged: SqliteChangeCounter | None = None
        self._recent = LruCache[str, tuple[int, UserFeatures | None]](_REMEMBERED)
        self.gives_up_after_s = math.inf  # a network may keep a reader waiting
        if is_file(online_store):
            self.gives_up_after_s = _WAIT_FOR_LOCK_S
            file = Path(online_store).absolute()
            self._read: Reader = SqliteReader(SqliteConnections(file, _WAIT_FOR_LOCK_S), views)
            self._unchanged = SqliteChangeCounter(SqliteConnection(file, _WAIT_FOR_LOCK_S))
        else:
            self._read = RedisReader(online_store, views, _ANSWER_WITHIN_S)

    def user(self, user_id: str) -> UserFeatures | None:
        """A user's features; None for a user whom no materialization has seen.

        The same object as before while nobody has written to the store, where that can be seen.

        Raises:
            FeaturesUnavailable: the online store is missing or doesn't answer.
        """
        try:
            if self._unchanged is None:
                return self._user(user_id)
            changes = self._unchanged.changes()
            kept = self._recent.get(user_id)
            if kept is None or kept[0] != changes:
                kept = changes, self._user(user_id)
                self._recent.put(user_id, kept)
            return kept[1]
        except Exception as error:  # what sqlite3, Redis and the file system raise shares none either
            raise FeaturesUnavailable(
                f"online store {self._online_store} can't be read ({error}); {self._next_step}"
            ) from error

    def _user(self, user_id: str) -> UserFeatures | None:
        history, profile, state = map(_known, self._features, self._read(user_id))
        if not history:
            return None
        lists = {name: history[name] for name in HISTORY_LISTS}
        seen_before = profile.pop(SEEN_BEFORE, ())
        interest_state = _interest_state(state, history["as_of"])
        return UserFeatures(History(**lists), history["as_of"], profile, interest_state, seen_before)


def _interest_state(state: Mapping[str, Any], snapshot: int) -> InterestState | None:
    """None where it was worked out from another snapshot's history: one is written after the other."""
    if state.get("snapshot") != snapshot:
        return None
    vectors = (np.fromiter(state[name], np.float32) for name in ("state", "interest"))
    return InterestState(state["release"], state["as_of"], *vectors)


def _known(features: Sequence[str], stored: Mapping[str, bytes]) -> dict[str, Any]:
    """Those of a view's features that have a value; of a missing user, Redis gives empty ones.

    A feature that was dropped from the view since may still stand in the store; it doesn't count.
    """
    found = {feature: value_of(stored[feature]) for feature in features if feature in stored}
    return {feature: value for feature, value in found.items() if value is not None}
