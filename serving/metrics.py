"""What the recommender counts, for Prometheus."""

from contextlib import AbstractContextManager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from serving.answers import Answer
from serving.retrieval import SOURCES

_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)

STAGES: Final = ("history", "interest", "retrieval", "rules", "reranking", "reasons")


class Metrics:
    """One registry for each server, so that two in one process count apart."""

    def __init__(self) -> None:
        self.registry = kept = CollectorRegistry()
        self.requests = Histogram(
            "penchant_request_seconds", "Time to answer", ["method", "code"], buckets=_SECONDS, registry=kept
        )
        stages = Histogram(
            "penchant_stage_seconds", "Time of a stage", ["stage"], buckets=_SECONDS, registry=kept
        )
        # A look-up by label costs more than the count itself.
        self._stages = {stage: stages.labels(stage) for stage in STAGES}
        self.degraded = Counter("penchant_degraded", "Stages cut", ["stage", "fallback"], registry=kept)
        self.basis = Counter("penchant_answers", "Answers by what they rest on", ["basis"], registry=kept)
        sources = Counter(
            "penchant_answered_items", "Items answered by candidate source", ["source"], registry=kept
        )
        self._sources = [sources.labels(source) for source in SOURCES]
        self.recorded = Counter("penchant_recorded_interactions", "New in the log", registry=kept)
        self.release = Gauge("penchant_release_version", "The live release, 0 before one", registry=kept)
        self.release_failures = Counter(
            "penchant_release_failures", "Times a live release could not be used", registry=kept
        )
        self.snapshot_age = Gauge(
            "penchant_snapshot_age_seconds", "Age of the last snapshot that was read", registry=kept
        )

    def count(self, answer: Answer, sources: NDArray[np.uint8]) -> None:
        """An answer whose items came from `sources` [k], bits as in retrieval.SOURCES."""
        self.basis.labels(answer.basis).inc()
        for cut in answer.degraded:
            self.degraded.labels(cut.stage, cut.fallback).inc()
        for bit, count in enumerate(self._sources):
            count.inc(int(np.count_nonzero(sources & (1 << bit))))

    def stage(self, name: str) -> AbstractContextManager[Any]:
        """Time a stage of one answer."""
        return self._stages[name].time()
