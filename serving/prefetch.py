"""Precomputes the next answer of a user who has just recorded an interaction."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from serving.telemetry.logs import OncePerSecond
from serving.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)
logger.addFilter(OncePerSecond())

# Delay before each prefetch, so that a burst of recordings is handled first.
_DELAY_S: Final = 0.002

# If the event loop wakes up later than this after the delay, calls are waiting: the prefetch is skipped.
_MAX_LAG_S: Final = 0.001

# The longest queue of users; one more drops the user who has waited longest.
_MAX_QUEUE: Final = 100


class Prefetcher:
    """Prefetches for one user at a time, in the order of their last recordings."""

    def __init__(self, prefetch: Callable[[str], Awaitable[None]], metrics: Metrics) -> None:
        """`prefetch`: computes and caches what the next answer of a user needs."""
        self._prefetch, self._counts = prefetch, metrics.prefetches
        self._users, self._not_empty = dict[str, None](), asyncio.Event()

    def enqueue(self, user_ids: Iterable[str]) -> None:
        """Enqueue the user of a recording; ignore several users: an import, after which no user waits."""
        distinct = set(user_ids)
        if len(distinct) != 1:
            return
        user_id = distinct.pop()
        self._users.pop(user_id, None)
        self._users[user_id] = None
        if len(self._users) > _MAX_QUEUE:
            self._dequeue()
            self._counts["skipped"].inc()
        self._not_empty.set()

    async def run(self) -> None:
        """Prefetch until cancelled."""
        loop = asyncio.get_running_loop()
        while await self._not_empty.wait():
            wake_up = loop.time() + _DELAY_S
            await asyncio.sleep(_DELAY_S)
            user_id = self._dequeue()
            if loop.time() - wake_up > _MAX_LAG_S:
                self._counts["skipped"].inc()
                continue
            try:
                await self._prefetch(user_id)
            except Exception:  # any error must leave the loop running; the user's own answer reports it
                logger.exception("prefetch failed")
            else:
                self._counts["completed"].inc()

    def _dequeue(self) -> str:
        user_id = next(iter(self._users))
        del self._users[user_id]
        if not self._users:
            self._not_empty.clear()
        return user_id
