"""Whoever has just recorded something asks next: what that answer needs is worked out while nobody waits."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from serving.telemetry.logs import OncePerSecond
from serving.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)
logger.addFilter(OncePerSecond())

# Between two users, and before the first, who may go on recording.
_PAUSE_S: Final = 0.002

# An event loop that comes later than this to the end of a pause has calls waiting, and they go first.
_LATE_S: Final = 0.001

# So many wait for their turn; one more and who has waited longest is left to their own answer.
_WAITING: Final = 100


class Prefetcher:
    """One user at a time, in the order of their last recording."""

    def __init__(self, work_out: Callable[[str], Awaitable[None]], metrics: Metrics) -> None:
        """`work_out`: keeps what the next answer of a user will need."""
        self._work_out, self._counts = work_out, metrics.prefetches
        self._users, self._some = dict[str, None](), asyncio.Event()

    def enqueue(self, user_ids: Iterable[str]) -> None:
        """These have recorded something; where they are several, somebody imports, and nobody will ask."""
        alone = set(user_ids)
        if len(alone) != 1:
            return
        user_id = alone.pop()
        self._users.pop(user_id, None)
        self._users[user_id] = None
        if len(self._users) > _WAITING:
            self._next()
            self._counts["skipped"].inc()
        self._some.set()

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while await self._some.wait():
            due = loop.time() + _PAUSE_S
            await asyncio.sleep(_PAUSE_S)
            user_id = self._next()
            if loop.time() - due > _LATE_S:
                self._counts["skipped"].inc()
                continue
            try:
                await self._work_out(user_id)
            except Exception:  # their own answer will fail, or not; this goes on with the next
                logger.exception("what the next answer of a user needs could not be worked out")
            else:
                self._counts["completed"].inc()

    def _next(self) -> str:
        user_id = next(iter(self._users))
        del self._users[user_id]
        if not self._users:
            self._some.clear()
        return user_id
