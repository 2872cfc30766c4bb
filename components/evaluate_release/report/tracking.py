"""Logs an evaluation to its MLflow run, and reads the learning curves that the training logged there."""

import os
import time
from pathlib import Path
from typing import Final

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

from mlflow.entities import Metric, RunTag

from components.evaluate_release.report.results import DRIFT, EvaluationResults
from components.mlflow_client import connect

# Distinguishes metrics on held-out interactions from those of the training.
PREFIX: Final = "test_"

# (step, value) pairs, sorted by step.
Curve = list[tuple[int, float]]


def learning_curves(tracking_uri: str, run_id: str) -> dict[str, Curve]:
    """Map each metric that was logged at more than one step to its history."""
    client = connect(tracking_uri)
    names = [name for name in client.get_run(run_id).data.metrics if not name.startswith((PREFIX, "system/"))]
    histories = {name: client.get_metric_history(run_id, name) for name in sorted(names)}
    # A resumed run logs a step twice: the last value counts.
    curves = {
        name: sorted({entry.step: entry.value for entry in history}.items())
        for name, history in histories.items()
    }
    return {name: curve for name, curve in curves.items() if len(curve) > 1}


def log(tracking_uri: str, run_id: str, results: EvaluationResults, evaluation: Path, report: Path) -> None:
    """Log the metrics (`test_…`), the gate's decision as tags, and evaluation and report as artifacts."""
    client, now = connect(tracking_uri), int(time.time() * 1000)
    metrics = results.metrics_by_name | results.counts
    client.log_batch(
        run_id,
        metrics=[Metric(_metric(name), float(value), now, 0) for name, value in metrics.items()],
        tags=[
            RunTag("gate_decision", results.gate_decision.outcome),
            RunTag("gate_reason", results.gate_decision.reason),
            RunTag("protocol", results.protocol),
        ],
    )
    client.log_artifacts(run_id, str(evaluation), "evaluation")
    # MLflow's page renders a file by its ending.
    client.log_text(run_id, report.read_text(), "evaluation/report.html")


def _metric(name: str) -> str:
    """Drift has no prefix: it is not measured on the test queries."""
    return name if name.endswith(DRIFT) else PREFIX + name
