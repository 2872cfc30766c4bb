"""Runs of the pipelines on Kubeflow Pipelines: submit, list, and show them."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from components.report_run.kubeflow_run import explain, is_step
from components.run_facts import read_facts
from pipelines.compilation import PipelineFunction, compile_pipeline
from pipelines.errors import RunError
from pipelines.exit_handler import PARAMETER
from pipelines.kubeflow.connection import experiment_id, starting_a_run, without_links
from pipelines.kubeflow.reachability import check_reachable
from pipelines.run_history import ENDED, Run, Step, shown
from pipelines.run_receivers import kubeflow_receivers
from pipelines.settings import Settings

if TYPE_CHECKING:
    from kfp import Client


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
        parameters = parameters | {PARAMETER: asdict(kubeflow_receivers(self._settings))}
        with TemporaryDirectory() as folder:
            file = Path(folder) / "pipeline.yaml"
            compile_pipeline(function, self._settings, file)
            with without_links(), starting_a_run(self._settings):
                run = self._client.run_pipeline(
                    self._experiment_id,
                    job_name=f"penchant-{function.__name__}",
                    pipeline_package_path=str(file),
                    params=parameters,
                    service_account=self._settings.service_account or None,
                )
        return str(run.run_id)

    def newest(self, count: int) -> list[Run]:
        """Return the newest `count` runs, newest first, without facts."""
        page = self._client.list_runs(
            page_size=count, sort_by="created_at desc", experiment_id=self._experiment_id
        )
        return [_run(run) for run in page.runs or []]

    def get(self, run_id: str) -> Run:
        """Return a run with its steps, and after its end with the facts that they left in the warehouse."""
        run = _run(self._client.get_run(run_id))
        if not run.has_ended:
            return run
        try:
            return replace(run, facts=shown(read_facts(self._settings.run_facts, run_id)))
        except Exception as error:  # of any file system: the warehouse need not be reachable from here
            return replace(run, facts={"facts": f"cannot be read from here: {error}"})

    def log(self, run_id: str, step: str, follow: bool) -> Iterator[str]:
        """Refuse: Kubeflow's API v2beta1 has no logs.

        Raises:
            RunError: the message has the command that shows the log.
        """
        namespace = self._settings.kubeflow_namespace or "kubeflow"
        pods = f"-l pipeline/runid={run_id} --prefix --tail=-1"
        if step:
            pods = self._pod(run_id, step)
        options = " -f" if follow else ""
        raise RunError(
            "Kubeflow's API v2beta1 has no logs, but the pods of the steps do: "
            f"kubectl -n {namespace} logs {pods} -c main{options}"
        )

    def _pod(self, run_id: str, step: str) -> str:
        """Return the name of the pod of a step."""
        details = self._client.get_run(run_id).run_details
        tasks = [task for task in (details and details.task_details) or [] if is_step(task.display_name)]
        for task in tasks:
            if task.display_name == step:
                pods = [child.pod_name for child in task.child_tasks or [] if child.pod_name]
                return str(task.pod_name or (pods or [f"-l pipeline/runid={run_id} --prefix --tail=-1"])[-1])
        names = ", ".join(task.display_name for task in tasks) or "none yet"
        raise ValueError(f"--step={step!r}: expected a step of the run: {names}")


def _run(run: Any) -> Run:
    details = (run.run_details and run.run_details.task_details) or []
    steps = [_step(task) for task in details if is_step(task.display_name)]
    state = (run.state or "PENDING").lower()
    return Run(
        run_id=run.run_id,
        name=run.display_name,
        state=state,
        started=run.created_at,
        ended=run.finished_at if state in ENDED else None,
        steps=tuple(sorted(steps, key=lambda step: step.started.timestamp() if step.started else inf)),
    )


def _step(task: Any) -> Step:
    return Step(
        name=task.display_name,
        state=(task.state or "PENDING").lower(),
        started=task.start_time,
        ended=task.end_time,
        error=explain(task.display_name, task.error.message) if task.error else "",
    )
