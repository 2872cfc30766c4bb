"""The gRPC health check: SERVING once a release is live and the data stores are open."""

import asyncio
from collections.abc import Callable
from threading import Thread
from typing import Any, Final

import grpc.aio
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

# Maximum wait for the feature store and the log to open before the service reports SERVING without them.
_WARM_UP_S: Final = 15.0


class HealthService(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """grpc.health.v1.Health.

    The servicer of grpcio-health-checking lets one watcher block all others: it holds a lock while it writes
    to a client that may not read, and forgets the other watchers of a service when one of them ends.
    """

    def __init__(self, *services: str) -> None:
        self._statuses = dict.fromkeys(services, HealthCheckResponse.NOT_SERVING)
        self._changed = asyncio.Event()

    async def Check(  # noqa: N802 (the name in the proto)
        self, request: HealthCheckRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> HealthCheckResponse:
        if request.service not in self._statuses:
            names = ", ".join(map(repr, self._statuses))
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"service: expected one of {names}, got {request.service[:100]!r}"
            )
        return HealthCheckResponse(status=self._statuses[request.service])

    async def Watch(  # noqa: N802
        self, request: HealthCheckRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> None:
        last = None
        while True:
            changed = self._changed
            status = self._statuses.get(request.service, HealthCheckResponse.SERVICE_UNKNOWN)
            if status != last:
                await context.write(HealthCheckResponse(status=status))
                last = status
            await changed.wait()

    def set_all(self, status: int) -> None:
        """Set the status of every service and wake the watchers."""
        self._statuses = dict.fromkeys(self._statuses, status)
        self._changed.set()
        self._changed = asyncio.Event()


class HealthReporter:
    """Sets the health status, and sets `ready` when it is SERVING; create it in the server's event loop."""

    def __init__(self, service: str, warm_up: Callable[[], None]) -> None:
        """`warm_up` runs in a thread and opens the data stores, so that the first request need not wait."""
        self.servicer, self.ready = HealthService("", service), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._warm_up = Thread(target=warm_up, name="warm-up", daemon=True)

    def start(self) -> None:
        """Start to warm up; the status is NOT_SERVING."""
        self._warm_up.start()

    def report_serving(self) -> None:
        """Report SERVING after the warm-up; called by the thread that loads releases."""
        self._warm_up.join(_WARM_UP_S)
        self._loop.call_soon_threadsafe(self._report)

    def _report(self) -> None:
        self.servicer.set_all(HealthCheckResponse.SERVING)
        self.ready.set()
