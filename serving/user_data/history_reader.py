"""Reads a user's current history: the online store's snapshot joined with the log's delta."""

import logging
import math
from collections.abc import Callable, Container, Hashable
from contextlib import suppress
from functools import partial
from threading import Lock
from time import monotonic
from typing import Final, Protocol

from feature_repo.interaction import Interaction
from serving.errors import Unavailable
from serving.lru_cache import LruCache
from serving.telemetry.logs import OncePerSecond
from serving.user_data.bulkhead import Bulkhead
from serving.user_data.history_join import BusyDelta, HistoryParts, JoinedHistory, Snapshot, VersionedSnapshot
from serving.user_history import UserHistory

logger = logging.getLogger(__name__)
logger.addFilter(OncePerSecond())

# Delay before the feature store is opened again after a failure.
_REOPEN_S: Final = 1.0

# After a read that took longer than _SLOW_S, reads run in threads for _USE_THREADS_S: they must not block the
# event loop.
_SLOW_S: Final = 0.01
_USE_THREADS_S: Final = 1.0

# The snapshot's part of the time budget, so that the log is still read when the feature store hangs.
_SNAPSHOT_SHARE: Final = 0.6

# The number of cached users, about 15 KB each.
_CACHED_USERS: Final = 800


class Features(Protocol):
    """The source of snapshots; implemented by serving.online_store.online_features.OnlineFeatures."""

    @property
    def max_read_s(self) -> float: ...
    def read(self, user_id: str, known_version: Hashable, /) -> tuple[Hashable, Snapshot | None] | None:
        """Return the version of a user's snapshot and the snapshot; None if it is still `known_version`."""
        ...


class Log(Protocol):
    """The source of deltas; implemented by serving.user_data.interaction_log.InteractionLog."""

    @property
    def max_read_s(self) -> float: ...
    def since(self, user_id: str, as_of: int, /) -> list[Interaction]: ...
    def since_ids(self, user_id: str, as_of: int, /) -> str: ...
    def newest(self, user_id: str, as_of: int, /) -> list[Interaction]: ...
    def new_items(self, user_id: str, as_of: int, /) -> list[str]: ...


class HistoryReader:
    """Reads snapshot and delta within a time budget.

    The stores are read in the event loop if their own timeouts fit into the budget and they were fast in the
    last second; otherwise in threads. Each read is limited, and that of a busy user, who has recorded more
    than a history holds since the snapshot, continues in a thread.

    Caches the joined histories by user id. An entry is valid while the snapshot's version and the delta are
    unchanged; both are checked at each read, so that a history is never outdated.
    """

    def __init__(self, open_features: Callable[[], Features], log: Log, max_in_flight: int = 16) -> None:
        """`open_features` is called at the first read, and again at later reads until it succeeds."""
        self._open_features, self._log = open_features, log
        self._features: Features | None = None
        self._open_lock, self._retry_at = Lock(), 0.0
        self._use_threads_until = 0.0
        self._snapshots, self._deltas = Bulkhead("snapshot", max_in_flight), Bulkhead("log", max_in_flight)
        self._users = LruCache[str, JoinedHistory](_CACHED_USERS)

    async def read(self, user_id: str, budget_s: float) -> UserHistory:
        """Return the user's history within `budget_s`; `degraded` lists what could not be read."""
        start, parts = monotonic(), HistoryParts(user_id, self._users.get(user_id))
        read_snapshot = partial(self._read_snapshot, parts)
        read_log = partial(self._read_log, parts)
        snapshot_timeout_s = self._features.max_read_s if self._features else math.inf
        longest_s = snapshot_timeout_s + self._log.max_read_s
        # Without threads, a read takes two thirds of the time.
        if longest_s <= budget_s and start >= self._use_threads_until:
            read_snapshot()
            read_log()
            if monotonic() - start > _SLOW_S:
                self._use_threads_until = monotonic() + _USE_THREADS_S
        else:
            await self._run(budget_s * _SNAPSHOT_SHARE, self._snapshots, read_snapshot)
            await self._run(start + budget_s - monotonic(), self._deltas, read_log)
        if parts.is_busy:
            await self._run(
                start + budget_s - monotonic(), self._deltas, partial(self._read_busy_delta, parts)
            )
        result = parts.join()
        if result is not parts.cached and result.is_whole:
            self._users.put(user_id, result)
        return result.user

    def is_busy(self, user_id: str) -> bool:
        """Return whether the user had recorded more than a history holds at the last read."""
        cached = self._users.get(user_id)
        return cached is not None and cached.user.is_busy

    def forget(self, users: Container[str]) -> None:
        """Drop the cached histories of these users."""
        self._users.discard(users.__contains__)

    def warm(self) -> None:
        """Open both stores and read once, before the first request does."""
        try:
            self._opened().read("", None)
        except Exception as error:  # a store can raise any exception; the next request tries again
            logger.warning("the feature store can't be opened yet: %s", error)
        try:
            self._log.since("", 0)
        except Unavailable as error:
            logger.warning("the interaction log can't be opened yet: %s", error)

    def close(self) -> None:
        """Stop the threads."""
        self._snapshots.close()
        self._deltas.close()

    async def _run(self, timeout_s: float, bulkhead: Bulkhead, read: Callable[[], None]) -> None:
        """Run `read` in a thread and wait for at most `timeout_s`."""
        try:
            with suppress(TimeoutError):
                await bulkhead.run(timeout_s, read)
        except Unavailable as error:
            logger.warning("%s", error)

    def _read_snapshot(self, parts: HistoryParts) -> None:
        cached = parts.cached
        known_version = cached.snapshot_version if cached else None
        try:
            read = self._opened().read(parts.user_id, known_version)
        except Exception as error:  # a store can raise any exception; the answer degrades
            logger.warning("no snapshot: %r", error, exc_info=logger.isEnabledFor(logging.DEBUG))
            parts.snapshot_failed = True
        else:
            if read is not None:
                parts.snapshot = VersionedSnapshot(*read)
            elif cached:
                parts.snapshot = VersionedSnapshot(cached.snapshot_version, cached.snapshot)

    def _read_log(self, parts: HistoryParts) -> None:
        try:
            if ids := parts.cached_delta_ids:
                parts.is_unchanged = self._log.since_ids(parts.user_id, parts.as_of) == ids
            if not parts.is_unchanged:
                parts.delta = self._log.since(parts.user_id, parts.as_of)
        except Unavailable as error:
            logger.warning("no delta: %s", error)
            parts.log_failed = True

    def _read_busy_delta(self, parts: HistoryParts) -> None:
        try:
            newest = self._log.newest(parts.user_id, parts.as_of)
            parts.busy_delta = BusyDelta(newest, self._log.new_items(parts.user_id, parts.as_of))
        except Unavailable as error:
            logger.warning("no whole delta: %s", error)

    def _opened(self) -> Features:
        if self._features is not None:
            return self._features
        with self._open_lock:
            if self._features is None:
                if monotonic() < self._retry_at:
                    raise Unavailable(f"the feature store could not be opened in the last {_REOPEN_S:g} s")
                try:
                    self._features = self._open_features()
                except Exception:
                    self._retry_at = monotonic() + _REOPEN_S
                    raise
        return self._features
