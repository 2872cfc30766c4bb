"""The gRPC health check: SERVING once a release is live and the data stores are open."""

import asyncio
from collections.abc import Callable
from threading import Thread
from typing import Final

from grpc_health.v1 import health
from grpc_health.v1.health_pb2 import HealthCheckResponse

# Maximum wait for the feature store and the log to open before the service reports SERVING without them.
_WARM_UP_S: Final = 15.0


class HealthReporter:
    """Sets the health status, and sets `ready` when it is SERVING; create it in the server's event loop."""

    def __init__(self, service: str, warm_up: Callable[[], None]) -> None:
        """`warm_up` runs in a thread and opens the data stores, so that the first request need not wait."""
        self.servicer, self.ready = health.aio.HealthServicer(), asyncio.Event()
        self._services, self._loop = ("", service), asyncio.get_running_loop()
        self._warm_up = Thread(target=warm_up, name="warm-up", daemon=True)

    async def start(self) -> None:
        """Report NOT_SERVING and start to warm up."""
        await self._set(HealthCheckResponse.NOT_SERVING)
        self._warm_up.start()

    def report_serving(self) -> None:
        """Report SERVING after the warm-up; called by the thread that loads releases."""
        self._warm_up.join(_WARM_UP_S)
        self._loop.call_soon_threadsafe(self.ready.set)
        asyncio.run_coroutine_threadsafe(self._set(HealthCheckResponse.SERVING), self._loop)

    async def _set(self, status: int) -> None:
        for service in self._services:
            await self.servicer.set(service, status)
