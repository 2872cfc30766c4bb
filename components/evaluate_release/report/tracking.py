"""The evaluation in MLflow: figures, verdict, files; and the learning curves that the training left there."""

import os
import time
from pathlib import Path
from typing import Final

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from mlflow import MlflowClient
from mlflow.entities import Metric, RunTag

from components.evaluate_release.report.results import DRIFT, EvaluationResults

# Sets what was measured on held-out interactions apart from what the training logs.
PREFIX: Final = "test_"

# A curve: (step, value), by step.
Curve = list[tuple[int, float]]


def learning_curves(tracking_uri: str, run_id: str) -> dict[str, Curve]:
    """Metric -> its history in the run, of those that were logged at more than one step."""
    client = MlflowClient(tracking_uri)
    names = [name for name in client.get_run(run_id).data.metrics if not name.startswith((PREFIX, "system/"))]
    histories = {name: client.get_metric_history(run_id, name) for name in sorted(names)}
    # A step logged twice (a resumed run) counts as it was logged last.
    curves = {
        name: sorted({entry.step: entry.value for entry in history}.items())
        for name, history in histories.items()
    }
    return {name: curve for name, curve in curves.items() if len(curve) > 1}


def log(tracking_uri: str, run_id: str, results: EvaluationResults, evaluation: Path, report: Path) -> None:
    """Log the figures (`test_…`), the verdict as tags, the evaluation and the report as artifacts."""
    client, now = MlflowClient(tracking_uri), int(time.time() * 1000)
    figures = results.figures_by_name | results.counts
    client.log_batch(
        run_id,
        metrics=[Metric(_metric(name), float(value), now, 0) for name, value in figures.items()],
        tags=[
            RunTag("verdict", results.verdict.verdict),
            RunTag("verdict_reason", results.verdict.reason),
            RunTag("protocol", results.protocol),
        ],
    )
    client.log_artifacts(run_id, str(evaluation), "evaluation")
    # By this name MLflow's page shows it; a step's artifact has none.
    client.log_text(run_id, report.read_text(), "evaluation/report.html")


def _metric(name: str) -> str:
    """Drift is measured on what no split holds: it needs no prefix."""
    return name if name.endswith(DRIFT) else PREFIX + name
