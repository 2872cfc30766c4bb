"""Runs a pipeline on this machine, and compiles it for Kubeflow Pipelines."""

import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from pipelines.errors import RunError
from pipelines.kubernetes_config import build_pipeline
from pipelines.progress import StepReporter
from pipelines.run_folder import new_run_folder
from pipelines.run_lock import run_lock
from pipelines.settings import Settings
from pipelines.step_exit import print_exit_codes

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
        folder = new_run_folder(settings.home)
        pipeline = build_pipeline(function)
        print_exit_codes(pipeline)
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(folder / "steps"))
        with (
            _temporary_folder(folder / "tmp"),
            (folder / "run.log").open("w") as log,
            StepReporter(log, display_names(pipeline)) as reporter,
        ):
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


def display_names(pipeline: Any) -> dict[str, str]:
    """Map each task name of a pipeline, inside conditions too, to its display name."""
    spec = pipeline.pipeline_spec
    dags = [spec.root.dag, *(component.dag for component in spec.components.values())]
    return {name: task.task_info.name for dag in dags for name, task in dag.tasks.items()}


@contextlib.contextmanager
def _temporary_folder(folder: Path) -> Iterator[None]:
    """Let the steps write their temporary files to `folder`, and delete it at the end.

    kfp makes a folder for each task that it does not delete, and a killed step leaves its own.
    """
    tempfile.gettempdir()  # this process keeps its folder, which Python looks up once
    before = os.environ.get("TMPDIR")
    folder.mkdir()
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["TMPDIR"]
        if before is not None:
            os.environ["TMPDIR"] = before
        shutil.rmtree(folder, ignore_errors=True)  # a process that a step left may still write


def _link_pages(folder: Path) -> None:
    for page in PAGES:
        for artifact in sorted(folder.glob(f"steps/*/*/{page}"))[:1]:
            (folder / page).symlink_to(artifact.relative_to(folder))
