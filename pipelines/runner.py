"""Runs a pipeline here by kfp's local runner, submits it to Kubeflow, or schedules it there."""

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipelines.errors import RunError
from pipelines.kubernetes_config import build
from pipelines.progress import StepReporter
from pipelines.settings import Settings

Steps = Callable[..., None]

# HTML artifacts that the folder of a run links to.
PAGES = ("report.html", "data_docs.html")


def run_locally(steps: Steps, settings: Settings, arguments: dict[str, Any]) -> Path:
    """Run `steps` in this home, one run at a time; returns the run's folder, which holds its log.

    Raises:
        RunError: another run holds the home, or a step failed.
    """
    from kfp import local

    # Display names and placement are for Kubeflow; the local runner says for each that it leaves them out.
    warnings.filterwarnings("ignore", message=".*have no effect in the current local runner")
    settings.prepare_home()
    with only_run(settings.home):
        folder = settings.home / "runs" / time.strftime("%Y%m%d-%H%M%S")
        folder.mkdir(parents=True, exist_ok=True)
        pipeline = build(steps)
        # Each run has a fresh root: steps can be repeated, so nothing is resumed from a cache.
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(folder / "steps"))
        with (folder / "run.log").open("w") as log, StepReporter(log, titles(pipeline)) as reporter:
            try:
                with contextlib.redirect_stdout(reporter):
                    pipeline(**arguments)
            except RuntimeError as error:
                raise RunError(reporter.failure(folder / "run.log") or str(error)) from error
    _link_pages(folder)
    return folder


def compile_pipeline(steps: Steps, settings: Settings, file: Path) -> None:
    """Write the pipeline as Kubeflow's YAML, with the image and resources of the settings."""
    from kfp import compiler

    compiler.Compiler().compile(build(steps, settings), str(file))


def submit(steps: Steps, settings: Settings, arguments: dict[str, Any]) -> str:
    """Start one run on Kubeflow; returns its id."""
    run = _client(settings).create_run_from_pipeline_func(
        build(steps, settings), arguments=arguments, experiment_name=settings.experiment
    )
    return str(run.run_id)


def schedule(steps: Steps, settings: Settings, arguments: dict[str, Any], cron: str) -> str:
    """Have Kubeflow run `steps` by `cron`, one run at a time; returns the recurring run's id.

    Args:
        cron: six fields, seconds first ("0 0 3 * * *" is three o'clock at night).

    Raises:
        ValueError: not six fields. The server takes five, and reads them as something else.
    """
    if len(cron.split()) != 6:
        raise ValueError(
            f"cron={cron!r}: expected six fields, seconds first, such as '0 0 3 * * *' (three at night)"
        )
    client = _client(settings)
    experiment = client.create_experiment(settings.experiment)
    file = settings.home / f"{steps.__name__}.yaml"
    settings.prepare_home()
    compile_pipeline(steps, settings, file)
    recurring = client.create_recurring_run(
        experiment.experiment_id,
        job_name=f"penchant-{steps.__name__}",
        cron_expression=cron,
        max_concurrency=1,
        no_catchup=True,
        pipeline_package_path=str(file),
        params=arguments,
        enable_caching=False,
    )
    return str(recurring.recurring_run_id)


@contextlib.contextmanager
def only_run(home: Path) -> Iterator[None]:
    """Hold the home: the lock goes with the process, however it ends."""
    lock = FileLock(home / "run.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise RunError(
            f"another run is under way in {home}: wait for it, or use another home (--home)"
        ) from error
    try:
        yield
    finally:
        lock.release()


def titles(pipeline: Any) -> dict[str, str]:
    """Task name -> display name, for every task of a pipeline and its conditions."""
    spec = pipeline.pipeline_spec
    dags = [spec.root.dag, *(component.dag for component in spec.components.values())]
    return {name: task.task_info.name for dag in dags for name, task in dag.tasks.items()}


def _link_pages(folder: Path) -> None:
    """Link the HTML artifacts from the top of the run's folder."""
    for page in PAGES:
        for artifact in folder.glob(f"steps/*/*/{page}"):
            (folder / page).symlink_to(artifact.relative_to(folder))


def _client(settings: Settings) -> Any:
    if not settings.kubeflow:
        raise ValueError("PENCHANT_KUBEFLOW is not set: expected the address of Kubeflow Pipelines' API")
    import kfp

    return kfp.Client(host=settings.kubeflow)
