"""Starts the recommender's server, and stops it in the opposite order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from prometheus_client import start_http_server

from serving.api.grpc_server import create_server, listen
from serving.configuration.settings import ServingSettings
from serving.server.dependencies import Dependencies
from serving.server.service_assembly import start_service
from serving.telemetry.loop_lag import watch_lag
from serving.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from serving.telemetry.tracing import Tracing

# Time for calls in flight to finish after SIGTERM.
DRAIN_S: Final = 5.0

# Time that a worker waits for its first release before it listens without one: recording needs no release.
_READY_TIMEOUT_S: Final = 5.0


@asynccontextmanager
async def run_server(
    settings: ServingSettings, dependencies: Dependencies | None = None, drain_s: float = DRAIN_S
) -> AsyncIterator[int]:
    """Run the recommender and yield its port; on exit, stop it and close the dependencies.

    Args:
        drain_s: time for calls in flight to finish on exit.

    Raises:
        OSError: a port can't be bound, or a TLS or trace file can't be opened.
        ValueError: the scenarios can't be read.
    """
    async with AsyncExitStack() as stack:
        if tracing := _tracing(settings):
            stack.callback(tracing.close)
        metrics = Metrics(tracing)
        if settings.metrics_port is not None:
            _serve_metrics(settings, settings.metrics_port, metrics)
        server = create_server(settings, metrics, tracing)
        port = 0 if settings.shared_port else listen(server, settings)
        dependencies = dependencies or Dependencies.of(settings)
        stack.callback(dependencies.close)
        reporter, prefetcher = await start_service(settings, dependencies, metrics, server, stack)
        if settings.shared_port:  # the kernel sends connections to each listening worker: be ready first
            with suppress(TimeoutError):
                await asyncio.wait_for(reporter.ready.wait(), _READY_TIMEOUT_S)
            port = listen(server, settings)
        await server.start()
        for work in (watch_lag(metrics), prefetcher.run()):
            stack.callback(asyncio.create_task(work).cancel)
        stack.push_async_callback(server.stop, drain_s)
        yield port


def _tracing(settings: ServingSettings) -> "Tracing | None":
    if settings.trace_file is None and not settings.traces:
        return None
    from serving.telemetry.tracing import Tracing  # imported here, because it loads OpenTelemetry's SDK

    return Tracing(settings.trace_file, settings.traces, settings.trace_share)


def _serve_metrics(settings: ServingSettings, port: int, metrics: Metrics) -> None:
    # Only the supervisor, on the same machine, reads the metrics of a worker.
    host = "127.0.0.1" if settings.shared_port else settings.host
    try:
        http_server, _ = start_http_server(port, host, metrics.registry)
    except OSError as error:
        raise OSError(
            f"metrics can't listen on {host}:{port} ({error}): set PENCHANT_METRICS_PORT to a free port"
        ) from error
    if settings.shared_port:
        print(f"metrics on {host}:{http_server.server_port}", flush=True)
