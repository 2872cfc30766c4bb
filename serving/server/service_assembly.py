"""Wires the service, and starts its background work."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from serving.api.health import HealthReporter
from serving.api.service import RecommenderService
from serving.api.validation import RequestLimits
from serving.configuration.settings import ServingSettings
from serving.deadline import Budgets
from serving.erasure import Erasure
from serving.experiments.experiment_file import ExperimentFile
from serving.experiments.experiment_watcher import ExperimentWatcher
from serving.experiments.guardrail_monitor import GuardrailMonitor
from serving.exposures.exposure_log import ExposureLog
from serving.interest.circuit_breaker import CircuitBreaker
from serving.prefetch import Prefetcher
from serving.protos import recommender_pb2 as pb
from serving.protos.recommender_pb2_grpc import add_RecommenderServiceServicer_to_server
from serving.ranking.open_releases import OpenReleases
from serving.ranking.scenarios import Scenario, load_scenarios
from serving.recommender import RecommendationEngine
from serving.recorder import Recorder
from serving.release_watcher import ReleaseWatcher
from serving.server.dependencies import Dependencies
from serving.telemetry.interaction_log_depth import LogDepth
from serving.telemetry.metrics import Metrics
from serving.user_data.erasure_watcher import ErasureWatcher
from serving.user_data.history_reader import HistoryReader
from serving.user_data.request_context import RequestContextReader
from serving.user_data.user_preferences import UserPreferences

SERVICE: Final = pb.DESCRIPTOR.services_by_name["RecommenderService"].full_name

# A timeout shorter than this share of the interest budget does not count against the model server.
_MIN_TIMEOUT_SHARE: Final = 0.5


async def start_service(
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


def _budgets(settings: ServingSettings) -> Budgets:
    return Budgets(
        history_s=settings.history_budget_ms / 1000,
        interest_s=settings.interest_budget_ms / 1000,
        ranking_s=settings.ranking_reserve_ms / 1000,
    )
