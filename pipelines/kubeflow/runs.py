"""Runs of the pipelines on Kubeflow Pipelines: submit, list, and follow one until it ends."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from pipelines.kubeflow.connection import experiment_id, without_links
from pipelines.kubeflow.reachability import check_reachable
from pipelines.runner import PipelineFunction, compile_pipeline
from pipelines.settings import Settings

if TYPE_CHECKING:
    from kfp import Client

ENDED: Final = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED")
POLL_S: Final = 5.0


@dataclass(frozen=True)
class Step:
    """One task of a run; `error` is "" unless it failed."""

    name: str
    state: str
    started: datetime | None
    ended: datetime | None
    error: str


@dataclass(frozen=True)
class KubeflowRun:
    """One run; the steps by start time."""

    run_id: str
    name: str
    state: str
    started: datetime | None
    ended: datetime | None
    steps: tuple[Step, ...]

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


class KubeflowRuns:
    """The runs of the experiment of the settings."""

    def __init__(self, client: "Client", settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._experiment_id = experiment_id(client, settings)

    def submit(self, function: PipelineFunction, parameters: dict[str, Any]) -> str:
        """Start a run; return its id.

        Raises:
            ValueError: a parameter is an address that the cluster cannot reach.
        """
        check_reachable(self._settings, parameters)
        with TemporaryDirectory() as folder:
            file = Path(folder) / "pipeline.yaml"
            compile_pipeline(function, self._settings, file)
            with without_links():
                run = self._client.run_pipeline(
                    self._experiment_id,
                    job_name=f"penchant-{function.__name__}",
                    pipeline_package_path=str(file),
                    params=parameters,
                    service_account=self._settings.service_account or None,
                )
        return str(run.run_id)

    def newest(self, count: int) -> list[KubeflowRun]:
        """Return the newest `count` runs, newest first."""
        page = self._client.list_runs(
            page_size=count, sort_by="created_at desc", experiment_id=self._experiment_id
        )
        return [_run(run) for run in page.runs or []]

    def get(self, run_id: str) -> KubeflowRun:
        """Return a run with its steps."""
        return _run(self._client.get_run(run_id))

    def follow(self, run_id: str, poll_s: float = POLL_S) -> Iterator[KubeflowRun]:
        """Yield the run again and again until it ends."""
        while True:
            run = self.get(run_id)
            yield run
            if run.has_ended:
                return
            time.sleep(poll_s)


def _run(run: Any) -> KubeflowRun:
    details = (run.run_details and run.run_details.task_details) or []
    steps = [_step(task) for task in details if _is_step(task)]
    return KubeflowRun(
        run_id=run.run_id,
        name=run.display_name,
        state=run.state or "PENDING",
        started=run.created_at,
        ended=run.finished_at if run.state in ENDED else None,
        steps=tuple(sorted(steps, key=lambda step: step.started.timestamp() if step.started else inf)),
    )


def _is_step(task: Any) -> bool:
    """Return whether a task is a step of the pipeline, not one of Kubeflow's own."""
    return task.display_name not in ("root", "executor") and not task.display_name.endswith("-driver")


def _step(task: Any) -> Step:
    return Step(
        name=task.display_name,
        state=task.state or "PENDING",
        started=task.start_time,
        ended=task.end_time,
        error=task.error.message if task.error else "",
    )
