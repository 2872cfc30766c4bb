"""The health check: statuses, and watchers that do not depend on each other."""

import asyncio
from typing import Any

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from serving.api.health import HealthService

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


class Watcher:
    """A context that keeps the statuses it gets; with `stalled`, its client does not read."""

    def __init__(self, stalled: bool = False) -> None:
        self.statuses, self._stalled = list[int](), stalled

    async def write(self, response: HealthCheckResponse) -> None:
        self.statuses.append(response.status)
        if self._stalled:
            await asyncio.Event().wait()


def watch(service: HealthService, watcher: Any) -> "asyncio.Task[None]":
    return asyncio.ensure_future(service.Watch(HealthCheckRequest(), watcher))


def test_neither_a_stalled_watcher_nor_one_that_ends_keeps_the_status_from_the_others() -> None:
    async def scenario() -> None:
        service = HealthService("")
        stalled, ordinary, ended = Watcher(stalled=True), Watcher(), Watcher()
        tasks = [watch(service, watcher) for watcher in (stalled, ordinary, ended)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        await asyncio.sleep(0)
        service.set_all(SERVING)
        await asyncio.sleep(0)
        assert ordinary.statuses == [NOT_SERVING, SERVING]
        assert stalled.statuses == [NOT_SERVING]
        assert (await service.Check(HealthCheckRequest(), Any)).status == SERVING  # type: ignore[arg-type]
        for task in tasks:
            task.cancel()

    asyncio.run(scenario())
