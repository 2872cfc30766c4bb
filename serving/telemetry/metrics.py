"""What the recommender counts, for Prometheus."""

import time
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge

from serving.answers import Answer
from serving.ranking.retrieval import SOURCES, SourceBits
from serving.telemetry.fast_metrics import BitmaskCounter, FastHistogram

if TYPE_CHECKING:
    from serving.telemetry.tracing import Tracing

_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)

# Of any call, until its bytes are read and it is let in.
_WAITING: Final = "waiting"

# Of a Recommend, in their order; `scenario` only where one asks for more than the rest.
STAGES: Final = (
    _WAITING,
    "request",
    "history",
    "scenario",
    "interest",
    "retrieval",
    "rules",
    "reranking",
    "reasons",
    "answer",
)


# How the interest of an answer was come by: from the snapshot, by the model, or as the model said before.
WAYS: Final = ("kept", "advanced", "replayed", "remembered")


class Metrics:
    """One registry for each server, so that two in one process count apart."""

    def __init__(self, tracing: "Tracing | None" = None) -> None:
        """With `tracing`, each stage that is timed is a span too."""
        self._tracing = tracing
        self.registry = kept = CollectorRegistry()
        self.requests = FastHistogram(
            "penchant_request_seconds", "Time to answer", ["method", "code"], _SECONDS
        )
        self.stages = FastHistogram("penchant_stage_seconds", "Time of a stage", ["stage"], _SECONDS)
        for stage in STAGES:
            self.stages.declare(stage)
        self.loop_lag = FastHistogram(
            "penchant_event_loop_lag_seconds", "How late it comes to what is due", [], _SECONDS
        )
        self.degraded = Counter("penchant_degraded", "Stages cut", ["stage", "fallback"], registry=kept)
        basis = Counter("penchant_answers", "Answers by what they rest on", ["basis"], registry=kept)
        self.basis = cache(basis.labels)  # to look one up takes longer than to count
        self.sources = BitmaskCounter(
            "penchant_answered_items", "Items answered by candidate source", "source", SOURCES
        )
        for tally in (self.requests, self.stages, self.loop_lag, self.sources):
            kept.register(tally)
        self.scenarios = Counter(
            "penchant_scenario_answers", "Answers under a scenario", ["scenario"], registry=kept
        )
        self.impressions = Counter("penchant_recorded_impressions", "New in the log", registry=kept)
        interests = Counter(
            "penchant_interests", "Interests by how they were come by", ["way"], registry=kept
        )
        self.interests = {way: interests.labels(way) for way in WAYS}
        prefetched = Counter(
            "penchant_anticipated",
            "Users whose next answer was made ready when they had recorded, or left to itself",
            ["outcome"],
            registry=kept,
        )
        self.prefetched = {outcome: prefetched.labels(outcome) for outcome in ("ready", "left")}
        self.recorded = Counter("penchant_recorded_interactions", "New in the log", registry=kept)
        self.release = Gauge("penchant_release_version", "The live release, 0 before one", registry=kept)
        self.release_failures = Counter(
            "penchant_release_failures", "Times a live release could not be used", registry=kept
        )
        self.snapshot_age = Gauge(
            "penchant_snapshot_age_seconds", "Age of the newest snapshot that was read", registry=kept
        )
        self.snapshot_as_of = 0  # µs since the epoch, 0 before one was read
        self.snapshot_age.set_function(self._age_of_snapshot)
        self.learned_until = Gauge(
            "penchant_release_learned_until_timestamp_seconds",
            "When the newest interaction happened that the live release has learned from",
            registry=kept,
        )
        self.log_depth = Gauge(
            "penchant_log_depth", "Interactions in the log that no snapshot holds yet", registry=kept
        )
        self.circuit_open = Gauge(
            "penchant_circuit_open", "1 while the model server is left alone because it hangs", registry=kept
        )

    def count(self, answer: Answer, sources: NDArray[SourceBits], scenario: str = "") -> None:
        """An answer whose items came from `sources` [k], bits as in retrieval.SOURCES."""
        self.basis(answer.basis).inc()
        if scenario:
            self.scenarios.labels(scenario).inc()
        for cut in answer.degraded:
            self.degraded.labels(cut.stage, cut.fallback).inc()
        self.sources.add(sources.tolist())
        if self._tracing:
            self._tracing.describe(answer)

    def saw_snapshot(self, as_of: int) -> None:
        """A user's snapshot was read that holds what was recorded before `as_of` (µs)."""
        self.snapshot_as_of = max(self.snapshot_as_of, as_of)

    def waited(self, seconds: float) -> None:
        """A call is let in that came so long ago."""
        self.stages.add((_WAITING,), seconds)

    def stage(self, name: str) -> AbstractContextManager[Any]:
        """Time a stage of one answer."""
        timed = self.stages.time(name)
        return timed if self._tracing is None else self._tracing.stage(name, timed)

    def _age_of_snapshot(self) -> float:
        return time.time() - self.snapshot_as_of / 1e6 if self.snapshot_as_of else 0.0
