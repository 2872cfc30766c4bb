"""Runs a pipeline on this machine, and compiles it for Kubeflow Pipelines."""

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from pipelines.errors import RunError
from pipelines.kubernetes_config import build_pipeline
from pipelines.progress import StepReporter
from pipelines.settings import Settings

# A function that creates the tasks of a pipeline, such as `training`.
PipelineFunction = Callable[..., None]

# HTML artifacts that the folder of a run links to.
PAGES: Final = ("report.html", "data_docs.html")


def run_locally(function: PipelineFunction, settings: Settings, arguments: dict[str, Any]) -> Path:
    """Run a pipeline with kfp's local runner; return the run's folder, with its log and outputs.

    Raises:
        RunError: another run uses the same home, or a step failed.
    """
    from kfp import local

    # kfp warns about each setting for Kubeflow, and about images; neither has an effect here.
    for message in (".*have no effect in the current local runner", ".*non-Python base image"):
        warnings.filterwarnings("ignore", message=message)
    settings.prepare_home()
    with run_lock(settings.home):
        folder = settings.home / "runs" / time.strftime("%Y%m%d-%H%M%S")
        folder.mkdir(parents=True, exist_ok=True)
        pipeline = build_pipeline(function)
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(folder / "steps"))
        with (folder / "run.log").open("w") as log, StepReporter(log, display_names(pipeline)) as reporter:
            try:
                with contextlib.redirect_stdout(reporter):
                    pipeline(**arguments)
            except RuntimeError as error:
                raise RunError(reporter.failure(folder / "run.log") or str(error)) from error
            finally:  # the page of a failed validation shows what failed
                _link_pages(folder)
    return folder


def compile_pipeline(function: PipelineFunction, settings: Settings, file: Path) -> None:
    """Write a pipeline as YAML for Kubeflow Pipelines, with the images and resources of the settings."""
    from kfp import compiler

    compiler.Compiler().compile(build_pipeline(function, settings), str(file))


@contextlib.contextmanager
def run_lock(home: Path) -> Iterator[None]:
    """Lock the home for one run; the operating system frees the lock when the process ends.

    Raises:
        RunError: another run has the lock.
    """
    lock = FileLock(home / "run.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise RunError(
            f"another run is in progress in {home}: wait until it ends, or choose another home with --home"
        ) from error
    try:
        yield
    finally:
        lock.release()


def display_names(pipeline: Any) -> dict[str, str]:
    """Map each task name of a pipeline, inside conditions too, to its display name."""
    spec = pipeline.pipeline_spec
    dags = [spec.root.dag, *(component.dag for component in spec.components.values())]
    return {name: task.task_info.name for dag in dags for name, task in dag.tasks.items()}


def _link_pages(folder: Path) -> None:
    for page in PAGES:
        for artifact in sorted(folder.glob(f"steps/*/*/{page}"))[:1]:
            (folder / page).symlink_to(artifact.relative_to(folder))
