"""Where the recommender is wired together and listens."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import start_http_server

from serving.api.auth_interceptor import AuthInterceptor
from serving.api.call_interceptor import CallInterceptor
from serving.api.health import HealthReporter
from serving.api.rate_limit import RateLimit
from serving.api.service import RecommenderService
from serving.api.validation import Limits
from serving.configuration.settings import ServingSettings
from serving.deadline import Budgets
from serving.interest.circuit_breaker import CircuitBreaker
from serving.interest.client import AsyncInterestClient, InterestClient
from serving.interest.user_interest import InterestModelClient
from serving.online_store.online import OnlineFeatures
from serving.prefetch import Prefetcher
from serving.process import STOPPING, starting
from serving.protos import recommender_pb2 as pb
from serving.protos.recommender_pb2_grpc import add_RecommenderServiceServicer_to_server
from serving.ranking.scenarios import load_scenarios
from serving.recommender import RecommendationEngine
from serving.recorder import Recorder, WritableLog
from serving.release.release_store import ReleaseStore
from serving.release_watcher import ReleaseWatcher, ServedVersions
from serving.telemetry.log_depth import CountedLog, LogDepth
from serving.telemetry.logs import RequestLog
from serving.telemetry.loop_lag import watch_lag
from serving.telemetry.metrics import Metrics
from serving.user_data.history_reader import Features, HistoryReader, Log
from serving.user_data.interaction_log import InteractionLog
from serving.user_data.request_context import ImpressionLog, RequestContextReader

if TYPE_CHECKING:
    from serving.telemetry.tracing import Tracing

logger = logging.getLogger(__name__)

SERVICE: Final = pb.DESCRIPTOR.services_by_name["RecommenderService"].full_name

_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")

# How long SIGTERM lets requests in flight finish.
_DRAIN_S: Final = 5.0

# A worker that can't answer by then listens all the same: what is recorded needs no release.
_ABLE_S: Final = 5.0

# How often a worker looks whether who minds it is still there.
_LOOK_S: Final = 1.0

# A wait for the model server that is shorter than this share of its budget says nothing about it.
_PATIENT: Final = 0.5


class SharedLog(Log, WritableLog, CountedLog, ImpressionLog, Protocol):
    """Read for each answer, written by each recording."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Dependencies:
    """What the recommender stands on; a test brings its own."""

    store: ReleaseStore
    models: InterestModelClient
    versions: ServedVersions
    log: SharedLog
    open_features: Callable[[], Features]

    @classmethod
    def of(cls, settings: ServingSettings) -> "Dependencies":
        """In the event loop that they serve."""
        credentials = settings.tls.towards()

        def open_features() -> Features:
            return OnlineFeatures(settings.registry, settings.online_store, settings.features)

        return cls(
            store=ReleaseStore(settings.releases, Path(settings.cache)),
            models=AsyncInterestClient(settings.model_server, credentials=credentials),
            versions=InterestClient(settings.model_server, credentials=credentials),
            log=InteractionLog(settings.interaction_log),
            open_features=open_features,
        )


@asynccontextmanager
async def serving(
    settings: ServingSettings, dependencies: Dependencies | None = None, drain_s: float = _DRAIN_S
) -> AsyncIterator[int]:
    """The recommender listens, on the port that is given, until the end: then its dependencies are closed.

    Args:
        drain_s: how long requests in flight may then take to finish.

    Raises:
        OSError: a port can't be bound, or a TLS or trace file can't be opened.
        ValueError: the scenarios can't be read.
    """
    scenarios, tracing = load_scenarios(settings.scenarios), _tracing(settings)
    metrics = Metrics(tracing)
    server = _server(settings, metrics, tracing)
    port = 0 if settings.shared_port else _listen(server, settings)
    dependencies = dependencies or Dependencies.of(settings)
    models = CircuitBreaker(
        dependencies.models, metrics, least_s=_PATIENT * settings.interest_budget_ms / 1000
    )
    log_depth = LogDepth(dependencies.log, metrics)
    histories = HistoryReader(dependencies.open_features, dependencies.log, settings.threads)
    health_reporter = HealthReporter(SERVICE, histories.warm)
    poll_s = settings.release_poll_ms / 1000
    releases = ReleaseWatcher(
        dependencies.store, dependencies.versions, metrics, poll_s, on_live=health_reporter.is_live
    )
    recorder = Recorder(dependencies.log, releases, metrics, settings.threads)
    request_context = RequestContextReader(histories, dependencies.log, metrics, settings.threads)
    recommender = RecommendationEngine(
        releases, histories, models, metrics, _budgets(settings), request_context
    )
    prefetcher = Prefetcher(recommender.prefetch, metrics)
    service = RecommenderService(
        recommender,
        recorder,
        Limits(settings.max_k, settings.max_history, settings.max_record),
        settings.deadline_ms / 1000,
        scenarios,
        metrics,
        prefetcher,
    )
    add_RecommenderServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    health_pb2_grpc.add_HealthServicer_to_server(health_reporter.checks, server)
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)

    await health_reporter.start()
    log_depth.start()
    releases.start()
    if settings.shared_port:  # whoever listens is dealt connections, so first be able to answer
        with suppress(TimeoutError):
            await asyncio.wait_for(health_reporter.able.wait(), _ABLE_S)
        port = _listen(server, settings)
    await server.start()
    beside = [asyncio.create_task(watch_lag(metrics)), asyncio.create_task(prefetcher.run())]
    try:
        yield port
    finally:
        await server.stop(drain_s)
        for task in beside:
            task.cancel()
        await asyncio.to_thread(releases.close)  # it may be telling this loop that one is live
        await models.close()
        for part in (
            log_depth,
            request_context,
            histories,
            recorder,
            dependencies.versions,
            dependencies.log,
        ):
            part.close()
        if tracing:
            tracing.close()


def main() -> int:
    """Serve until SIGTERM or SIGINT, then finish what is in flight. Returns the exit code."""
    with starting() as settings:
        if settings.workers > 1:  # in place of this process: who minds the workers needs nothing of theirs
            os.execv(sys.executable, [sys.executable, "-m", "serving.workers"])
        asyncio.run(_serve(settings))
    return 0


async def _serve(settings: ServingSettings) -> None:
    stop, parent = asyncio.Event(), os.getppid()
    for number in STOPPING:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(settings) as port:
        print(f"recommender on {settings.host}:{port}", flush=True)
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_S)
            if settings.shared_port and os.getppid() != parent:
                break  # a worker does not outlive who minds it
        logger.info("stopping: requests in flight have %g s", _DRAIN_S)


def _tracing(settings: ServingSettings) -> "Tracing | None":
    if settings.trace_file is None and not settings.traces:
        return None
    from serving.telemetry.tracing import Tracing  # OpenTelemetry's SDK is only loaded by those who trace

    return Tracing(settings.trace_file, settings.traces, settings.trace_share)


def _server(settings: ServingSettings, metrics: Metrics, tracing: "Tracing | None") -> grpc.aio.Server:
    tokens = {scope: [t.get_secret_value() for t in given] for scope, given in settings.tokens.items()}
    request_log = RequestLog(settings.log_requests, settings.log_user_ids)
    rate_limit = RateLimit(settings.requests_per_second)
    call_interceptor = CallInterceptor(rate_limit, metrics, request_log, settings.threads, tracing)
    if settings.metrics_port is not None:
        _serve_metrics(settings, settings.metrics_port, metrics)
    return grpc.aio.server(
        interceptors=[AuthInterceptor(tokens), call_interceptor] if tokens else [call_interceptor],
        options=[
            # Unless told otherwise, a second server on the port must fail, not share it.
            ("grpc.so_reuseport", int(settings.shared_port)),
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            # What a busy event loop has not come to waits in gRPC's core, which refuses more as CANCELLED:
            # who would wait for longer than any deadline is told at once, before the interpreter sees them.
            ("grpc.server.max_pending_requests", settings.max_concurrent_requests),
            ("grpc.server.max_pending_requests_hard_limit", settings.max_concurrent_requests),
        ],
        maximum_concurrent_rpcs=settings.max_concurrent_requests,
    )


def _listen(server: grpc.aio.Server, settings: ServingSettings) -> int:
    """The port; raises OSError when it, or a file of TLS, can't be had."""
    if settings.tokens and not settings.tls_certificate and settings.host not in _LOOPBACK:
        logger.warning("bearer tokens travel in plain text on %s: set PENCHANT_TLS_…", settings.host)
    address = f"{settings.host}:{settings.port}"
    try:
        return settings.tls.listen(server, address)
    except RuntimeError as error:
        raise OSError(
            f"can't listen on {address}, is the port in use? Stop what listens there, or set PENCHANT_PORT"
        ) from error


def _budgets(settings: ServingSettings) -> Budgets:
    return Budgets(
        history_s=settings.history_budget_ms / 1000,
        interest_s=settings.interest_budget_ms / 1000,
        ranking_s=settings.ranking_reserve_ms / 1000,
    )


def _serve_metrics(settings: ServingSettings, port: int, metrics: Metrics) -> None:
    # What a worker counts is asked by who minds the workers, on this machine.
    host = "127.0.0.1" if settings.shared_port else settings.host
    try:
        page, _ = start_http_server(port, host, metrics.registry)
    except OSError as error:
        raise OSError(
            f"metrics can't listen on {host}:{port} ({error}): set PENCHANT_METRICS_PORT"
        ) from error
    if settings.shared_port:
        print(f"metrics on {host}:{page.server_port}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
