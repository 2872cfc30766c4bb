"""The recommender's Prometheus metrics."""

import time
from collections import Counter as Counts
from contextlib import AbstractContextManager
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from serving.answers import Answer, Source

if TYPE_CHECKING:
    from serving.telemetry.tracing import Tracing

_BUCKETS_S: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)

# From the arrival of a call until it is admitted and parsed.
_QUEUE: Final = "queue"

_SHARES: Final = tuple(tenths / 10 for tenths in range(11))

# The stages of a Recommend call, in order; `scenario` only if the scenario needs more data than the history.
STAGES: Final = (
    _QUEUE,
    "request",
    "history",
    "scenario",
    "interest",
    "retrieval",
    "rules",
    "reranking",
    "explanations",
    "answer",
)

# Origin of an interest vector: stored with the snapshot, cached from an earlier call of the model, computed
# from the stored state and the new interactions, or computed from the whole history.
INTEREST_ORIGINS: Final = ("snapshot", "cache", "advance", "replay", "forecast")

# Why a canary was stopped: serving.experiments.guardrails.Name.
GUARDRAILS: Final = ("errors", "slow", "degraded", "dismissals", "clicks")


class Metrics:
    """The metrics of one server, in a registry of their own, so that two servers in a process do not mix."""

    def __init__(self, tracing: "Tracing | None" = None) -> None:
        """With `tracing`, each timed stage is also a span."""
        self._tracing = tracing
        self.registry = CollectorRegistry()
        self._init_calls()
        self._init_answers()
        self._init_recordings()
        self._init_releases()
        self._init_experiments()

    def _init_calls(self) -> None:
        requests = self._histogram(
            "penchant_request_duration_seconds",
            "Duration of a call, from its arrival to its answer",
            "method",
            "code",
        )
        self._request = cache(requests.labels)  # a lookup takes longer than an observation
        stages = self._histogram("penchant_stage_duration_seconds", "Duration of a stage of a call", "stage")
        self._stages = {stage: stages.labels(stage) for stage in STAGES}
        self.refused_calls = self._counter(
            "penchant_refused_calls_total",
            "Calls that a limit or the authorization refused",
            "method",
            "reason",
        )
        self.event_loop_lag = self._histogram(
            "penchant_event_loop_lag_seconds", "Delay of a periodic timer in the event loop"
        )

    def _init_answers(self) -> None:
        answers = self._counter("penchant_answers_total", "Answers by the basis of their ranking", "basis")
        self._answers = cache(answers.labels)
        self._degradations = self._counter(
            "penchant_degradations_total",
            "Stages that failed or ran out of time, and the fallback used instead",
            "stage",
            "fallback",
        )
        self._scenarios = self._counter(
            "penchant_scenario_answers_total",
            "Answers under a scenario",
            "scenario",
        )
        items = self._counter(
            "penchant_recommended_items_total", "Recommended items by candidate source", "source"
        )
        sources = (source for source in Source if source is not Source.UNSPECIFIED)
        self._items: dict[Source, Counter] = {source: items.labels(source) for source in sources}
        interests = self._counter(
            "penchant_interests_total",
            "Interest vectors by origin: cache hits and calls of the model",
            "origin",
        )
        self.interests = {origin: interests.labels(origin) for origin in INTEREST_ORIGINS}
        self.circuit_open = self._gauge(
            "penchant_model_server_circuit_open",
            "1 while calls of the model server are blocked after timeouts, else 0",
        )

    def _init_recordings(self) -> None:
        self.recorded = self._counter(
            "penchant_recorded_interactions_total", "Interactions added to the log, without repeats"
        )
        exposures = self._counter(
            "penchant_exposures_total", "Answers whose exposure was stored, or dropped", "outcome"
        )
        self.exposures = {outcome: exposures.labels(outcome) for outcome in ("stored", "dropped")}
        self.log_depth = self._gauge(
            "penchant_interactions_after_snapshot",
            "Interactions that were recorded in the log after the snapshot",
        )
        prefetches = self._counter(
            "penchant_prefetches_total", "Precomputed answers of users who recorded an interaction", "outcome"
        )
        self.prefetches = {outcome: prefetches.labels(outcome) for outcome in ("completed", "skipped")}

    def _init_releases(self) -> None:
        self.release = self._gauge("penchant_release_version", "Version of the live release, 0 for none")
        self.release_failures = self._counter(
            "penchant_release_failures_total", "Failed attempts to load the live release"
        )
        self.newest_interaction = self._gauge(
            "penchant_release_newest_interaction_timestamp_seconds",
            "Time of the newest interaction in the training data of the live release",
        )
        self.snapshot_as_of = 0  # µs since the epoch, 0 before a snapshot was read
        snapshot_age = self._gauge("penchant_snapshot_age_seconds", "Age of the newest feature snapshot read")
        snapshot_age.set_function(self._snapshot_age)

    def _init_experiments(self) -> None:
        self.experiment_running = self._gauge(
            "penchant_experiment_running", "1 while this process takes part in an experiment, else 0"
        )
        self.experiment_failures = self._counter(
            "penchant_experiment_failures_total", "Failed attempts to follow the experiment file"
        )
        stops = self._counter(
            "penchant_experiment_stops_total", "Canaries that a guardrail stopped", "guardrail"
        )
        # From the start, because Prometheus sees no increase in a sample that begins with 1.
        self.experiment_stops = {guardrail: stops.labels(guardrail) for guardrail in GUARDRAILS}
        self.guardrail_failures = self._counter(
            "penchant_guardrail_failures_total", "Failed attempts to read the outcomes of a canary"
        )
        self._arm_answers = self._counter(
            "penchant_experiment_answers_total",
            "Answers by an arm of an experiment; failed: the live release answered instead",
            "experiment",
            "arm",
            "outcome",
        )
        self._arm_duration = self._histogram(
            "penchant_experiment_answer_duration_seconds",
            "Duration of the stages of an answer by an arm, a shadow included",
            "experiment",
            "arm",
        )
        shadows = self._counter(
            "penchant_shadow_answers_total",
            "Answers that a shadow computed, failed to compute, or dropped because it can't keep up",
            "outcome",
        )
        self.shadows = {outcome: shadows.labels(outcome) for outcome in ("computed", "failed", "dropped")}
        self.shadow_common_items = Histogram(
            "penchant_shadow_common_items_ratio",
            "Share of the shown items that the shadow's answer has too",
            buckets=_SHARES,
            registry=self.registry,
        )

    def count_arm_answer(self, experiment: str, arm: str, failed: bool, seconds: float) -> None:
        """Count an answer by an arm and the duration of its stages."""
        self._arm_answers.labels(experiment, arm, "failed" if failed else "answered").inc()
        self._arm_duration.labels(experiment, arm).observe(seconds)

    def count_answer(self, answer: Answer, scenario: str = "") -> None:
        """Count an answer, and its items by their candidate sources."""
        self._answers(answer.basis).inc()
        if scenario:
            self._scenarios.labels(scenario).inc()
        for degradation in answer.degraded:
            self._degradations.labels(degradation.stage, degradation.fallback).inc()
        sources = chain.from_iterable(item.sources for item in answer.recommendations)
        for source, count in Counts(sources).items():
            self._items[source].inc(count)
        if self._tracing:
            self._tracing.describe(answer)

    def observe_snapshot(self, as_of: int) -> None:
        """Set the snapshot's time to `as_of` (µs since the epoch), unless a newer snapshot was observed."""
        self.snapshot_as_of = max(self.snapshot_as_of, as_of)

    def observe_request(self, method: str, code: str, seconds: float) -> None:
        """Count a finished call and its duration."""
        self._request(method, code).observe(seconds)

    def observe_queue(self, seconds: float) -> None:
        """Add the time that a call waited until it was admitted."""
        self._stages[_QUEUE].observe(seconds)

    def stage(self, name: str) -> AbstractContextManager[Any]:
        """Return a context manager that times a stage of a call."""
        timer = _StageTimer(self._stages[name])
        return timer if self._tracing is None else self._tracing.stage(name, timer)

    def _snapshot_age(self) -> float:
        return time.time() - self.snapshot_as_of / 1e6 if self.snapshot_as_of else 0.0

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(name, documentation, labels, registry=self.registry)

    def _gauge(self, name: str, documentation: str) -> Gauge:
        return Gauge(name, documentation, registry=self.registry)

    def _histogram(self, name: str, documentation: str, *labels: str) -> Histogram:
        return Histogram(name, documentation, labels, buckets=_BUCKETS_S, registry=self.registry)


class _StageTimer:
    """Observes the duration of its block, in less time than the timer of prometheus_client takes."""

    __slots__ = ("_histogram", "_start")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._histogram.observe(time.perf_counter() - self._start)
