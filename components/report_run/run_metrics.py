"""Prometheus metrics of the last run of each pipeline, for a Pushgateway and for node_exporter."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Metric, generate_latest, pushadd_to_gateway
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from components.report_run.outcome import Outcome

JOB: Final = "penchant"
TIMEOUT_S: Final = 10.0

# Those of the release gate.
VERDICTS: Final = ("better", "undecided", "worse")

# For readers who are other users than the run, whose files are private.
_READABLE: Final = 0o644


class RunMetrics:
    """The metrics of one run; a metric without a value in this run keeps that of an earlier one."""

    def __init__(self, outcome: Outcome) -> None:
        self.registry = CollectorRegistry()
        self._pipeline = outcome.pipeline
        now = time.time()
        failed_step = outcome.failed_step if outcome.status == "failed" else ""
        self._set(
            "failed", "Whether the run failed (0 or 1), and in which step.",
            outcome.status == "failed", step=failed_step,
        )  # fmt: skip
        self._set("end_timestamp_seconds", "When the run ended.", now)
        if outcome.status == "succeeded":
            self._set("last_success_timestamp_seconds", "When a run succeeded last.", now)
        if outcome.duration_s is not None:
            self._set("duration_seconds", "How long the run took.", outcome.duration_s)
        if outcome.rows is not None:
            self._set("rows", "Interactions in the snapshot of the run.", outcome.rows)
        verdicts = Gauge(
            "penchant_run_verdict", "1 for the verdict on the release of the run, 0 for the others.",
            ["pipeline", "verdict"], registry=self.registry,
        )  # fmt: skip
        for verdict in VERDICTS:
            verdicts.labels(self._pipeline, verdict).set(verdict == outcome.verdict)

    def _set(self, name: str, description: str, value: float, **labels: str) -> None:
        gauge = Gauge(f"penchant_run_{name}", description, ["pipeline", *labels], registry=self.registry)
        gauge.labels(self._pipeline, *labels.values()).set(value)

    def push(self, gateway: str) -> None:
        """Push the metrics to a Pushgateway; it keeps metrics that are not pushed, such as the last success.

        Raises:
            OSError: it cannot be reached, or refuses them.
        """
        pushadd_to_gateway(gateway, JOB, self.registry, {"pipeline": self._pipeline}, TIMEOUT_S)

    def write(self, directory: Path) -> Path:
        """Write the metrics for node_exporter, atomically; returns the file, `penchant_<pipeline>.prom`.

        Raises:
            OSError: the directory cannot be written.
        """
        file = directory / f"penchant_{self._pipeline}.prom"
        names = {metric.name for metric in self.registry.collect()}
        before = text_string_to_metric_families(file.read_text()) if file.exists() else []
        self.registry.register(_Kept(metric for metric in before if metric.name not in names))
        staged = file.with_suffix(".part")
        staged.write_bytes(generate_latest(self.registry))
        staged.chmod(_READABLE)
        staged.replace(file)
        return file


class _Kept(Collector):
    """Metrics of an earlier run."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics
