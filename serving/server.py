"""The recommender process: wires, starts and stops its parts."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import start_http_server

from feature_repo.pseudonyms import check_value
from feature_repo.store_addresses import FeatureStoreAddresses
from serving.api.grpc_server import create_server, listen
from serving.api.health import HealthReporter
from serving.api.service import RecommenderService
from serving.api.validation import RequestLimits
from serving.configuration.settings import ServingSettings
from serving.deadline import Budgets
from serving.erasure import Erasure
from serving.errors import Unavailable
from serving.experiments.experiment_file import ExperimentFile
from serving.experiments.experiment_watcher import ExperimentWatcher
from serving.experiments.guardrail_monitor import GuardrailMonitor
from serving.exposures.exposure_log import ExposureLog, StoredExposures
from serving.exposures.exposure_store import ExposureStore
from serving.interest.circuit_breaker import CircuitBreaker
from serving.interest.model_server_client import AsyncInterestClient, InterestClient
from serving.interest.user_interest import InterestModelClient
from serving.online_store.online_features import OnlineFeatures
from serving.prefetch import Prefetcher
from serving.process.startup import STOP_SIGNALS, process_startup
from serving.protos import recommender_pb2 as pb
from serving.protos.recommender_pb2_grpc import add_RecommenderServiceServicer_to_server
from serving.ranking.open_releases import OpenReleases
from serving.ranking.scenarios import Scenario, load_scenarios
from serving.recommender import RecommendationEngine
from serving.recorder import Recorder, WritableLog
from serving.release.release_store import ReleaseStore
from serving.release_watcher import ReleaseWatcher, ServedVersions
from serving.telemetry.interaction_log_depth import CountedLog, LogDepth
from serving.telemetry.loop_lag import watch_lag
from serving.telemetry.metrics import Metrics
from serving.user_data.erasure_store import ErasureStore
from serving.user_data.erasure_watcher import Erasures, ErasureWatcher
from serving.user_data.history_reader import Features, HistoryReader, Log
from serving.user_data.interaction_log import InteractionLog
from serving.user_data.preference_store import PreferenceStore
from serving.user_data.request_context import ImpressionLog, RequestContextReader
from serving.user_data.user_preferences import Preferences, UserPreferences

if TYPE_CHECKING:
    from serving.telemetry.tracing import Tracing

logger = logging.getLogger(__name__)

SERVICE: Final = pb.DESCRIPTOR.services_by_name["RecommenderService"].full_name

# Time for calls in flight to finish after SIGTERM.
_DRAIN_S: Final = 5.0

# Time that a worker waits for its first release before it listens without one: recording needs no release.
_READY_TIMEOUT_S: Final = 5.0

# A timeout shorter than this share of the interest budget does not count against the model server.
_MIN_TIMEOUT_SHARE: Final = 0.5


class SharedLog(Log, WritableLog, CountedLog, ImpressionLog, Protocol):
    """The parts of the interaction log that all its users need together."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Dependencies:
    """The external parts of the recommender; tests pass their own."""

    store: ReleaseStore
    model: InterestModelClient
    model_server: ServedVersions
    log: SharedLog
    exposures: StoredExposures
    erasures: Erasures
    preferences: Preferences
    open_features: Callable[[], Features]

    @classmethod
    def of(cls, settings: ServingSettings) -> "Dependencies":
        """Create them from the settings; call it in the event loop that serves.

        Raises:
            WrongPseudonymKey: the interaction log has user ids that were made with another key, or without.
        """
        credentials = settings.tls.client_credentials()

        log = InteractionLog(settings.interaction_log, key_check=check_value(settings.pseudonyms))
        with suppress(Unavailable):  # a database that is down at the start is checked once it is up
            log.open()

        def open_features() -> Features:
            return OnlineFeatures(
                FeatureStoreAddresses(settings.features, settings.registry, settings.online_store)
            )

        return cls(
            store=ReleaseStore(settings.releases, Path(settings.cache)),
            model=AsyncInterestClient(settings.model_server, credentials=credentials),
            model_server=InterestClient(settings.model_server, credentials=credentials),
            log=log,
            exposures=ExposureStore(settings.interaction_log),
            erasures=ErasureStore(settings.interaction_log),
            preferences=PreferenceStore(settings.interaction_log),
            open_features=open_features,
        )

    def close(self) -> None:
        self.model_server.close()
        self.log.close()
        self.exposures.close()
        self.erasures.close()
        self.preferences.close()


@asynccontextmanager
async def run_server(
    settings: ServingSettings, dependencies: Dependencies | None = None, drain_s: float = _DRAIN_S
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
        reporter, prefetcher = await _start_service(settings, dependencies, metrics, server, stack)
        if settings.shared_port:  # the kernel sends connections to each listening worker: be ready first
            with suppress(TimeoutError):
                await asyncio.wait_for(reporter.ready.wait(), _READY_TIMEOUT_S)
            port = listen(server, settings)
        await server.start()
        for work in (watch_lag(metrics), prefetcher.run()):
            stack.callback(asyncio.create_task(work).cancel)
        stack.push_async_callback(server.stop, drain_s)
        yield port


async def _start_service(
    settings: ServingSettings,
    dependencies: Dependencies,
    metrics: Metrics,
    server: grpc.aio.Server,
    stack: AsyncExitStack,
) -> tuple[HealthReporter, Prefetcher]:
    """Wire the services into `server` and start their background work; `stack` closes the parts."""
    scenarios = load_scenarios(settings.scenarios)
    user_data = _open_user_data(settings, dependencies, metrics, stack)
    min_timeout_s = _MIN_TIMEOUT_SHARE * settings.interest_budget_ms / 1000
    model = CircuitBreaker(dependencies.model, metrics, min_timeout_s=min_timeout_s)
    stack.push_async_callback(model.close)
    reporter = HealthReporter(SERVICE, user_data.histories.warm)
    reporter.start()
    releases, experiments = _watch_releases(settings, dependencies, metrics, scenarios, reporter, stack)
    recorder = Recorder(dependencies.log, releases, metrics, user_data.exposures, settings.max_in_flight)
    stack.callback(recorder.close)
    preferences = UserPreferences(dependencies.preferences)
    recommender = RecommendationEngine(
        releases,
        user_data.histories,
        model,
        metrics,
        _budgets(settings),
        user_data.request_context,
        user_data.exposures,
        experiments=experiments,
        is_personalized=preferences.is_personalized,
    )
    shadowing = asyncio.create_task(recommender.shadow.run())
    stack.callback(shadowing.cancel)
    prefetcher = Prefetcher(recommender.prefetch, metrics)
    erasures = await _follow_users(dependencies, preferences, recommender, stack)
    service = RecommenderService(
        recommender,
        recorder,
        RequestLimits.of(settings),
        settings.deadline_ms / 1000,
        scenarios,
        metrics,
        prefetcher,
        Erasure(dependencies.erasures, dependencies.exposures, erasures),
        preferences,
    )
    add_RecommenderServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    health_pb2_grpc.add_HealthServicer_to_server(reporter.servicer, server)
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    return reporter, prefetcher


@dataclass(frozen=True)
class _UserData:
    """What is read and written about users."""

    histories: HistoryReader
    request_context: RequestContextReader
    exposures: ExposureLog


def _open_user_data(
    settings: ServingSettings, dependencies: Dependencies, metrics: Metrics, stack: AsyncExitStack
) -> _UserData:
    """Open what reads users, start to write exposures and to measure the log; `stack` closes them."""
    log, max_in_flight = dependencies.log, settings.max_in_flight
    histories = HistoryReader(dependencies.open_features, log, max_in_flight)
    stack.callback(histories.close)
    request_context = RequestContextReader(histories, log, dependencies.exposures, metrics, max_in_flight)
    stack.callback(request_context.close)
    exposures = ExposureLog(
        dependencies.exposures, metrics, settings.exposure_share, settings.exposure_days, max_in_flight
    )
    stack.push_async_callback(asyncio.to_thread, exposures.close)  # writes what waits
    exposures.start()
    log_depth = LogDepth(log, metrics)
    stack.callback(log_depth.close)
    log_depth.start()
    return _UserData(histories, request_context, exposures)


def _watch_releases(
    settings: ServingSettings,
    dependencies: Dependencies,
    metrics: Metrics,
    scenarios: Mapping[str, Scenario],
    reporter: HealthReporter,
    stack: AsyncExitStack,
) -> tuple[ReleaseWatcher, ExperimentWatcher]:
    """Start to follow the live release and the experiment, with its guardrails; `stack` stops them."""
    store, model_server = dependencies.store, dependencies.model_server
    poll_s = settings.release_poll_ms / 1000
    opened = OpenReleases(store)
    releases = ReleaseWatcher(opened, model_server, metrics, poll_s, on_live=reporter.report_serving)
    experiments = ExperimentWatcher(
        opened,
        model_server,
        scenarios,
        metrics,
        poll_s,
        may_begin=lambda: releases.current is not None,
    )
    outcomes = dependencies.exposures.outcomes()
    monitor = GuardrailMonitor(experiments, ExperimentFile(store), outcomes, metrics)
    for follower in (releases, experiments, monitor):
        # Closed in a thread, because it may be waiting for this event loop.
        stack.push_async_callback(asyncio.to_thread, follower.close)
        follower.start()
    return releases, experiments


async def _follow_users(
    dependencies: Dependencies,
    preferences: UserPreferences,
    recommender: RecommendationEngine,
    stack: AsyncExitStack,
) -> ErasureWatcher:
    """Start to follow which users were erased and who wants no personalization; `stack` stops them."""
    erasures = ErasureWatcher(dependencies.erasures)
    preferences.on_opt_out(recommender.forget)
    for forget in (recommender.forget, preferences.forget):
        erasures.on_change(forget)
    for follower in (erasures, preferences):
        stack.push_async_callback(asyncio.to_thread, follower.close)
        await asyncio.to_thread(follower.start)
    return erasures


def main() -> int:
    """Serve until SIGTERM or SIGINT, then finish the calls in flight; return the exit code."""
    with process_startup() as settings:
        if settings.workers > 1:  # replaces this process, so that the supervisor is without its imports
            os.execv(sys.executable, [sys.executable, "-m", "serving.process.workers"])
        asyncio.run(_serve(settings))
    return 0


async def _serve(settings: ServingSettings) -> None:
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with run_server(settings) as port:
        print(f"recommender on {settings.host}:{port}", flush=True)
        await stop.wait()
        logger.info("stopping: calls in flight have %g s to finish", _DRAIN_S)


def _tracing(settings: ServingSettings) -> "Tracing | None":
    if settings.trace_file is None and not settings.traces:
        return None
    from serving.telemetry.tracing import Tracing  # imported here, because it loads OpenTelemetry's SDK

    return Tracing(settings.trace_file, settings.traces, settings.trace_share)


def _budgets(settings: ServingSettings) -> Budgets:
    return Budgets(
        history_s=settings.history_budget_ms / 1000,
        interest_s=settings.interest_budget_ms / 1000,
        ranking_s=settings.ranking_reserve_ms / 1000,
    )


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


if __name__ == "__main__":
    sys.exit(main())
