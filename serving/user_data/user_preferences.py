"""Follows what users set about their answers, in all replicas: each worker knows a change within a second."""

import asyncio
import logging
from collections.abc import Callable, Container, Iterable
from threading import Lock
from typing import Final, Protocol

from feature_repo.erased_users import ErasedUsers
from serving.answers import Degradation, Fallback, Stage
from serving.errors import Unavailable
from serving.process.polling_thread import PollingThread
from serving.telemetry.logs import OncePerSecond

logger = logging.getLogger(__name__)
logger.addFilter(OncePerSecond())

_POLL_S: Final = 0.25


class Preferences(Protocol):
    """Implemented by serving.user_data.preference_store.PreferenceStore."""

    def last_change(self) -> int: ...
    def since(self, change: int, /) -> list[tuple[str, bool, int]]: ...
    def set_personalized(self, user_id: str, personalized: bool, /) -> None: ...
    def close(self) -> None: ...


class UserPreferences:
    """Polls the store in a thread, and changes it."""

    def __init__(self, store: Preferences, poll_s: float = _POLL_S) -> None:
        self._store, self._lock = store, Lock()
        self._change, self._is_known, self._not_personalized = 0, False, set[str]()
        self._forget: list[Callable[[Container[str]], None]] = []
        self._thread = PollingThread("preferences watcher", self.refresh, poll_s)

    def on_opt_out(self, forget: Callable[[Container[str]], None]) -> None:
        """Call `forget`, in any thread, with users who have just opted out: their caches are dropped."""
        self._forget.append(forget)

    def start(self) -> None:
        """Read the preferences, if the store can be reached, and start the thread."""
        self.refresh()
        self._thread.start()

    def close(self) -> None:
        self._thread.close()

    def is_personalized(self, user_id: str) -> bool:
        """Return whether the user's answers are personalized; nobody's are before the store could be read."""
        return self._is_known and user_id not in self._not_personalized

    def degraded(self, user_ids: Iterable[str]) -> list[Degradation]:
        """Return how an answer about these users is degraded: not personalized, until the store was read.

        An id of "" stands for nobody.
        """
        if self._is_known or not any(user_ids):
            return []
        reason = "the preferences of users could not be read since the start"
        return [Degradation(Stage.PREFERENCES, reason, Fallback.NOT_PERSONALIZED)]

    async def set_personalized(self, user_id: str, personalized: bool) -> None:
        """Change the store; this worker knows it on return, the others at their next poll.

        Raises:
            ErasedUser: nothing is kept of this user.
            Unavailable: the interaction log can't be reached; a repeat is safe, also after the change.
        """
        await asyncio.to_thread(self._store.set_personalized, user_id, personalized)
        await asyncio.to_thread(self._read)

    def forget(self, erased: ErasedUsers) -> None:
        """Drop these users; their answers are never personalized."""
        with self._lock:
            for user_id in erased.among(list(self._not_personalized)):
                self._not_personalized.discard(user_id)

    def refresh(self) -> None:
        """Follow the store; while it can't be reached, what was read last holds."""
        try:
            self._read()
        except Unavailable as error:
            logger.warning("preferences can't be read: %s", error)

    def _read(self) -> None:
        opted_out = set[str]()
        with self._lock:
            if (last := self._store.last_change()) != self._change:
                opted_out = self._follow(last)
            self._is_known = True
        for forget in self._forget if opted_out else ():
            forget(opted_out)

    def _follow(self, last: int) -> set[str]:
        """Read what has changed and return who has opted out; if that fails, nothing is taken over."""
        anew = last < self._change  # another database: its changes are read from the first one
        changes = self._store.since(0 if anew else self._change)
        opted_out = {user_id for user_id, personalized, _ in changes if not personalized}
        others = set() if anew else self._not_personalized - {user_id for user_id, *_ in changes}
        self._not_personalized = others | opted_out
        # Changes of users who were erased since have no row; some may have come after `last`.
        self._change = max([last, *(number for *_, number in changes)])
        return opted_out
