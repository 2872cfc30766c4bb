"""Follows the erasures of all replicas, so that each worker forgets an erased user within a second."""

import logging
from collections.abc import Callable
from typing import Final, Protocol

from feature_repo.erased_users import ErasedUsers
from serving.errors import Unavailable
from serving.process.polling_thread import PollingThread
from serving.telemetry.logs import OncePerSecond

logger = logging.getLogger(__name__)
logger.addFilter(OncePerSecond())

_POLL_S: Final = 0.25


class Erasures(Protocol):
    """Implemented by serving.user_data.erasure_store.ErasureStore."""

    def version(self) -> int: ...
    def erased(self) -> ErasedUsers: ...
    def erase(self, user_id: str, /) -> int: ...
    def close(self) -> None: ...


class ErasureWatcher:
    """Polls the store in a thread; `erased` are the users as of the last poll."""

    def __init__(self, store: Erasures, poll_s: float = _POLL_S) -> None:
        self._store = store
        self._version, self.erased = 0, ErasedUsers()
        self._forget: list[Callable[[ErasedUsers], None]] = []
        self._thread = PollingThread("erasure watcher", self.refresh, poll_s)

    def on_change(self, forget: Callable[[ErasedUsers], None]) -> None:
        """Call `forget` in the watcher's thread after each change, to drop what is cached of erased users."""
        self._forget.append(forget)

    def start(self) -> None:
        """Read the erased users, if the store can be reached, and start the thread."""
        self.refresh()
        self._thread.start()

    def close(self) -> None:
        self._thread.close()

    def refresh(self) -> None:
        """Follow the store; while it can't be reached, the last list stays."""
        try:
            version = self._store.version()
            if version != self._version:
                self.erased = self._store.erased()
                for forget in self._forget:
                    forget(self.erased)
                self._version = version
        except Unavailable as error:
            logger.warning("erasures can't be read: %s", error)
