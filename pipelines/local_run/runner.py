"""Runs a pipeline on this machine, with kfp's local runner."""

import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from components.report_run.receivers import Receivers
from components.report_run.reporting import outcome_of_record, tell
from components.run_record import LOG, REPORT_STEP
from pipelines.compilation import PipelineFunction
from pipelines.errors import RunError
from pipelines.exit_handler import PARAMETER
from pipelines.kubernetes_config import build_pipeline
from pipelines.local_run.fork_server import fork_server
from pipelines.local_run.progress import StepReporter
from pipelines.local_run.run_folder import new_run_folder
from pipelines.local_run.run_lock import run_lock
from pipelines.local_run.run_recorder import FACTS, RunRecorder
from pipelines.local_run.step_exit import watch_steps
from pipelines.local_run.step_modules import modules_of_steps
from pipelines.local_run.termination import interrupted_by_sigterm, stop_steps
from pipelines.run_receivers import local_receivers
from pipelines.settings import Settings

# HTML artifacts that the folder of a run links to.
PAGES: Final = ("report.html", "data_docs.html")


def run_locally(
    function: PipelineFunction, settings: Settings, arguments: dict[str, Any], started_by: str = ""
) -> Path:
    """Run a pipeline with kfp's local runner; return the run's folder, with its record, log and outputs.

    On SIGTERM, as on Ctrl-C, the step that runs is ended, and the run is recorded as canceled.

    Args:
        started_by: a schedule; "" for the user of this process.

    Raises:
        ValueError: a file that a setting names is missing, or a setting must not be used on one machine.
        RunError: another run uses the same home, or a step failed.
    """
    from kfp import local

    # kfp warns about each setting for Kubeflow, and about images; neither has an effect here.
    for message in (".*have no effect in the current local runner", ".*non-Python base image"):
        warnings.filterwarnings("ignore", message=message)
    receivers = check_local_run(settings, arguments)
    settings.prepare_home()
    with run_lock(settings.home):
        folder = new_run_folder(settings.home)
        receivers = replace(receivers, record=str(folder), facts=str(folder / FACTS))
        pipeline = build_pipeline(function, is_reported=receivers.exist)
        watch_steps(pipeline, settings)
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(folder / "steps"))
        with (
            RunRecorder(folder, function.__name__, arguments, started_by) as recorder,
            _temporary_folder(folder / "tmp"),
            (folder / LOG).open("w") as log,
            StepReporter(log, display_names(pipeline), recorder) as reporter,
            fork_server(modules_of_steps(pipeline)),
            contextlib.redirect_stdout(reporter),
            interrupted_by_sigterm(),
        ):
            try:
                told = _with_webhook_in_file(receivers, folder / "tmp")
                pipeline(**arguments | _arguments_of_run(pipeline, told))
            except RuntimeError as error:
                if not recorder.only_report_failed:
                    raise RunError(reporter.failure(folder / LOG)) from error
            except BaseException as error:  # KeyboardInterrupt too: no step may go on
                stop_steps(settings.home)
                recorder.note(error)
                _report_without_exit_handler(recorder, receivers)
                raise
            finally:  # the page of a failed validation shows what failed
                _link_pages(folder)
    return folder


def check_local_run(settings: Settings, arguments: Mapping[str, Any]) -> Receivers:
    """Return who is told how a run ends.

    Raises:
        ValueError: as of `run_locally`.
    """
    workers = arguments.get("training_workers", 1)
    if workers > 1 and not settings.insecure_workers:
        raise ValueError(
            f"PENCHANT_TRAINING_WORKERS={workers}: expected 1 on one machine: one worker uses all its cores "
            "and GPUs, and several would accept calls from everybody who can reach the machine, without "
            "authentication. To try several where nobody else can reach it, set "
            "PENCHANT_INSECURE_WORKERS=true"
        )
    return local_receivers(settings)


def _report_without_exit_handler(recorder: RunRecorder, receivers: Receivers) -> None:
    """Tell the receivers, once, of a run that was stopped before its exit handler could."""
    if receivers.exist and not recorder.has_step(REPORT_STEP):
        outcome = outcome_of_record(recorder.record, receivers)
        if undelivered := tell(outcome, receivers, pauses_s=()):
            recorder.record.facts["undelivered"] = undelivered


def _with_webhook_in_file(receivers: Receivers, folder: Path) -> Receivers:
    """Return the receivers with the webhook's URL, often a secret, in a file: kfp logs all parameters."""
    if not receivers.webhook or receivers.webhook.startswith("/"):
        return receivers
    (folder / "webhook_url").write_text(receivers.webhook)
    return replace(receivers, webhook=str(folder / "webhook_url"))


def _arguments_of_run(pipeline: Any, receivers: Receivers) -> dict[str, Any]:
    """Return the parameters that differ in each local run, of those that the pipeline has."""
    parameters = {"run_facts": receivers.facts, PARAMETER: asdict(receivers)}
    inputs = pipeline.pipeline_spec.root.input_definitions.parameters
    return {name: value for name, value in parameters.items() if name in inputs}


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
