"""A user's features as serving reads them, straight from Feast's online store class.

`FeatureStore.get_online_features` makes the same reads at more than twice the cost.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from feature_repo.features import HISTORY_LISTS, USER_HISTORY, USER_INTEREST_STATE, USER_PROFILE
from feature_repo.histories import History
from feature_repo.interest_state import InterestState
from feature_repo.store import connect_store, is_file

# A request can't wait for a Redis any longer; its own deadline is a matter of its caller.
_ANSWER_WITHIN_S: Final = 0.5


class FeaturesUnavailable(Exception):
    """The online store or its registry can't be read now; the message says what fills it."""


@dataclass(frozen=True, slots=True)
class UserFeatures:
    """A user as of the last materialization, `as_of` in µs since the epoch."""

    history: History
    as_of: int
    profile: dict[str, str | float] = field(default_factory=dict)
    interest_state: InterestState | None = None  # after exactly this history


class OnlineFeatures:
    """Reads one user's history, profile and interest state; any thread may ask."""

    def __init__(self, registry: str, online_store: str, features: str = "") -> None:
        """Addresses as feature_repo.store.open_store takes them; `features` is only named in errors.

        Raises:
            FeaturesUnavailable: the registry can't be read, or knows no features yet.
        """
        from feast.protos.feast.types.EntityKey_pb2 import EntityKey
        from feast.protos.feast.types.Value_pb2 import Value

        self._online_store = online_store
        self._next_step = f"run the pipeline, which materializes {features or 'the features'}"
        try:
            if is_file(registry) and not Path(registry).exists():  # Feast would create it
                raise FileNotFoundError("no such file")
            store = connect_store(registry, online_store, _ANSWER_WITHIN_S)
            names = (USER_HISTORY, USER_PROFILE, USER_INTEREST_STATE)
            self._views = [store.get_feature_view(name) for name in names]
        except Exception as error:  # what Feast's registries raise shares no base class
            raise FeaturesUnavailable(
                f"Feast's registry {registry} can't be read ({error}); {self._next_step}"
            ) from error
        self._config, self._key, self._value = store.config, EntityKey, Value
        self._reader = _reader(online_store, store.config.online_store)

    def user(self, user_id: str) -> UserFeatures | None:
        """A user's features; None for a user whom no materialization has seen.

        Raises:
            FeaturesUnavailable: the online store is missing or doesn't answer.
        """
        key = self._key(join_keys=["user_id"], entity_values=[self._value(string_val=user_id)])
        try:
            store = self._reader()
            history, profile, state = (
                _known(view, store.online_read(self._config, view, [key])[0][1]) for view in self._views
            )
        except Exception as error:  # what sqlite3, Redis and the file system raise shares none either
            raise FeaturesUnavailable(
                f"online store {self._online_store} can't be read ({error}); {self._next_step}"
            ) from error
        if not history:
            return None
        lists = {name: list(history[name].val) for name in HISTORY_LISTS}
        return UserFeatures(
            History(**lists), history["as_of"], profile, _interest_state(state, history["as_of"])
        )


def _interest_state(state: Mapping[str, Any], snapshot: int) -> InterestState | None:
    """None where it was worked out from another snapshot's history: one is written after the other."""
    if state.get("snapshot") != snapshot:
        return None
    vectors = (np.fromiter(state[name].val, np.float32) for name in ("state", "interest"))
    return InterestState(state["release"], state["as_of"], *vectors)


def _known(view: Any, values: Mapping[str, Any] | None) -> dict[str, Any]:
    """The view's features that have a value: of a missing user, SQLite holds none and Redis empty ones.

    A feature that was dropped from the view since may still stand in the store; it doesn't count.
    """
    known = {}
    for feature in view.features:
        value = values.get(feature.name) if values else None
        content = value.WhichOneof("val") if value is not None else None
        if content:
            known[feature.name] = getattr(value, content)
    return known


def _reader(address: str, config: Any) -> Callable[[], Any]:
    """Gives the calling thread an online store: of its own on SQLite, the one pool on Redis."""
    from feast.infra.online_stores.helpers import get_online_store_from_config

    if is_file(address):
        return _SqliteReaders(Path(address), lambda: get_online_store_from_config(config)).get
    pool = get_online_store_from_config(config)
    return lambda: pool


class _SqliteReaders:
    """A connection for each thread, opened anew once another file stands at the path."""

    def __init__(self, path: Path, connect: Callable[[], Any]) -> None:
        self._path, self._connect, self._local = path, connect, threading.local()

    def get(self) -> Any:
        file = self._path.stat()
        identity = (file.st_dev, file.st_ino)
        if getattr(self._local, "identity", None) != identity:
            self._local.store, self._local.identity = self._connect(), identity
        return self._local.store
