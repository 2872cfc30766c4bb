"""A limit on the calls that are processed at the same time, with a queue of limited length."""

import asyncio
from typing import Final

from serving.errors import TooManyRequests

# One accepted call in so many is kept free for tokens with the scope admin.
_ADMIN_SHARE: Final = 16


class ConcurrencyLimit:
    """A slot for each call; calls wait for one in order of arrival."""

    def __init__(self, max_in_flight: int, max_concurrent_requests: int) -> None:
        """`max_concurrent_requests`: calls that hold a slot or wait for one; a further call is refused."""
        self._slots, self._max_accepted = asyncio.Semaphore(max_in_flight), max_concurrent_requests
        self._accepted, self._reserved = 0, max_concurrent_requests // _ADMIN_SHARE

    async def acquire(self, admin: bool = False) -> None:
        """Wait for a slot; raises TooManyRequests when the queue is full, which an admin sees later."""
        if self._accepted >= self._max_accepted - (0 if admin else self._reserved):
            raise TooManyRequests(
                f"expected at most {self._max_accepted} concurrent requests, got more; retry in a second",
                limit="queue",
            )
        self._accepted += 1
        try:
            await self._slots.acquire()
        except asyncio.CancelledError:
            self._accepted -= 1
            raise

    def release(self) -> None:
        self._accepted -= 1
        self._slots.release()
