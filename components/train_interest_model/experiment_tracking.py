"""The MLflow run of a pipeline run: the training starts it, later steps continue it."""

import hashlib
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from components.mlflow_client import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Packages that a run's results depend on.
PACKAGES: Final = ("tensorflow", "keras", "numpy", "scipy", "pyarrow", "mlflow", "penchant")

# MLflow's limits: parameters per call, and characters per parameter.
PARAMS_A_CALL, PARAM_LENGTH = 100, 500


@dataclass(frozen=True)
class Tracker:
    """Writes to one run in batches, since a call over HTTP takes 15 ms."""

    client: "MlflowClient"
    run_id: str

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters as text, cut at PARAM_LENGTH characters."""
        from mlflow.entities import Param

        rows = [Param(name, str(value)[:PARAM_LENGTH]) for name, value in params.items()]
        for start in range(0, len(rows), PARAMS_A_CALL):
            self.client.log_batch(self.run_id, params=rows[start : start + PARAMS_A_CALL])

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log metrics at a step, the epoch."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self.client.log_batch(
            self.run_id, metrics=[Metric(name, float(value), now, step) for name, value in metrics.items()]
        )

    def log_dataset(self, file: Path, context: str, profile: str) -> None:
        """Log an input file by its digest; `profile` describes its contents."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()[:16]
        dataset = Dataset(file.name, digest, "local", str(file), profile=profile)
        tag = InputTag("mlflow.data.context", context)
        self.client.log_inputs(self.run_id, [DatasetInput(dataset, [tag])])

    def log_text(self, text: str, artifact: str) -> None:
        self.client.log_text(self.run_id, text, artifact)

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Log a file or a directory."""
        if path.is_dir():
            self.client.log_artifacts(self.run_id, str(path), folder or None)
        else:
            self.client.log_artifact(self.run_id, str(path), folder or None)


def start_run(tracking_uri: str, experiment: str, tags: Mapping[str, str] = MappingProxyType({})) -> str:
    """Start a run with these tags, in addition to its name; return its id."""
    client = connect(tracking_uri)
    common = {"mlflow.runName": time.strftime("%Y-%m-%d %H:%M:%S"), "mlflow.source.name": "penchant"}
    run = client.create_run(_experiment_id(client, tracking_uri, experiment), tags={**common, **tags})
    return str(run.info.run_id)


@contextmanager
def tracked_run(tracking_uri: str, experiment: str, run_id: str, split: str) -> Iterator[Tracker]:
    """Continue the run `run_id`, or start a new one in `experiment` if `run_id` is empty.

    The run stays open for the next steps; a failed step marks it FAILED.
    """
    client = connect(tracking_uri)
    run_id = run_id or start_run(tracking_uri, experiment)
    client.update_run(run_id, status="RUNNING")
    tracker = Tracker(client, run_id)
    client.set_tag(run_id, "penchant.step", f"train {split}")
    tracker.log_text(_environment(), "environment.txt")
    try:
        yield tracker
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise


def _experiment_id(client: "MlflowClient", tracking_uri: str, name: str) -> str:
    """Return an experiment's id, created if missing; artifacts of a SQLite store are next to the file."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy import make_url

    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    location = None
    if tracking_uri.startswith("sqlite"):
        database = Path(make_url(tracking_uri).database or "").resolve()
        location = (database.parent / "artifacts" / name).as_uri()
    try:
        return str(client.create_experiment(name, artifact_location=location))
    except MlflowException:
        experiment = client.get_experiment_by_name(name)  # another run has created it
        if experiment is None:
            raise
        return str(experiment.experiment_id)


def _environment() -> str:
    lines = [f"python=={sys.version.split()[0]}"]
    for package in PACKAGES:
        try:
            lines.append(f"{package}=={version(package)}")
        except PackageNotFoundError:
            lines.append(f"# {package} is not installed as a package")
    return "\n".join(lines) + "\n"
