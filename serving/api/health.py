"""What the health check says: SERVING once a release is live and what it reads is open."""

import asyncio
from collections.abc import Callable
from threading import Thread
from typing import Final

from grpc_health.v1 import health
from grpc_health.v1.health_pb2 import HealthCheckResponse

# How long the first release waits for feature store and log to open before it is announced without.
_WARMING_S: Final = 15.0


class HealthReporter:
    """Made in the event loop that answers the check; `able` is set with the first release."""

    def __init__(self, service: str, warm: Callable[[], None]) -> None:
        """`warm` opens, in a thread, what the first answer would have to wait for."""
        self.checks, self.able = health.aio.HealthServicer(), asyncio.Event()
        self._names, self._loop = ("", service), asyncio.get_running_loop()
        self._warming = Thread(target=warm, name="warming", daemon=True)

    async def start(self) -> None:
        """Nothing is served yet."""
        await self._announce(HealthCheckResponse.NOT_SERVING)
        self._warming.start()

    def is_live(self) -> None:
        """A release is, says the thread that watches them."""
        self._warming.join(_WARMING_S)
        self._loop.call_soon_threadsafe(self.able.set)
        asyncio.run_coroutine_threadsafe(self._announce(HealthCheckResponse.SERVING), self._loop)

    async def _announce(self, status: int) -> None:
        for name in self._names:
            await self.checks.set(name, status)
