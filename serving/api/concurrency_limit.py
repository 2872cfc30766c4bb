"""A limit on the calls that are processed at the same time, with a queue of limited length."""

import asyncio
from types import TracebackType

from serving.errors import TooManyRequests


class ConcurrencyLimit:
    """An async context manager that holds a slot; calls wait for one in order of arrival."""

    def __init__(self, max_in_flight: int, max_concurrent_requests: int) -> None:
        """`max_concurrent_requests`: calls that hold a slot or wait for one; a further call is refused."""
        self._slots, self._max_accepted = asyncio.Semaphore(max_in_flight), max_concurrent_requests
        self._accepted = 0

    async def __aenter__(self) -> None:
        """Raises TooManyRequests when the queue is full."""
        if self._accepted >= self._max_accepted:
            raise TooManyRequests(
                f"expected at most {self._max_accepted} concurrent requests, got more; retry in a second"
            )
        self._accepted += 1
        try:
            await self._slots.acquire()
        except asyncio.CancelledError:
            self._accepted -= 1
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._accepted -= 1
        self._slots.release()
