"""Erases a user from all that a recommender reads and writes while it serves."""

import asyncio
from typing import Protocol

from feature_repo.erased_users import ErasedUsers
from serving.user_data.erasure_watcher import Erasures, ErasureWatcher


class ShownToUsers(Protocol):
    """Implemented by serving.exposures.exposure_store.ExposureStore."""

    def delete_user(self, user_id: str, /) -> int: ...
    def leave_out_followed(self, user_id: str, /) -> int: ...


class Erasure:
    """Erases users at once, and knows who is erased."""

    def __init__(self, store: Erasures, exposures: ShownToUsers, watcher: ErasureWatcher) -> None:
        self._store, self._exposures, self._watcher = store, exposures, watcher

    @property
    def erased(self) -> ErasedUsers:
        return self._watcher.erased

    async def erase(self, user_id: str) -> tuple[int, int]:
        """Erase a user; this worker knows it on return, the others at their next poll.

        Returns:
            The number of deleted interactions, and of deleted records of answers.

        Raises:
            Unavailable: the interaction log can't be reached.
        """
        return await asyncio.to_thread(self._erase, user_id)

    def _erase(self, user_id: str) -> tuple[int, int]:
        interactions = self._store.erase(user_id)
        exposures = self._exposures.delete_user(user_id)
        self._watcher.refresh()
        self._exposures.leave_out_followed(user_id)  # last: it reads all kept requests
        return interactions, exposures
