"""Asks Kubeflow's API which step of a run failed; the exit handler's own status names none."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

TIMEOUT_S: Final = 10.0

# Groups of steps, and Kubeflow's own pods.
_NO_STEP: Final = re.compile(
    r"root|executor|.*-driver|(exit-handler|condition|condition-branches|for-loop)-\d+.*|.*\.onExit"
)

# How Kubernetes says that a pod ran longer than its limit.
_DEADLINE: Final = re.compile(r"DeadlineExceeded|longer than the specified deadline", re.IGNORECASE)
_TRAINING: Final = "train-interest-model"


@dataclass(frozen=True)
class FailedStep:
    """The step of a run that failed first, "" if none did, and when the run began."""

    name: str
    error: str
    duration_s: float


def is_step(task: str) -> bool:
    """Return whether a task of Kubeflow's API is a step of the pipeline, by its name."""
    return not _NO_STEP.fullmatch(task)


def explain(task: str, error: str) -> str:
    """Return the error of a step, with the setting to change if it took too long."""
    if not _DEADLINE.search(error):
        return error
    setting = "TRAINING_TIMEOUT_S" if task.startswith(_TRAINING) else "STEP_TIMEOUT_S"
    return f"{error}: it took longer than PENCHANT_{setting}"


def failed_step(address: str, token_file: str, run_id: str) -> FailedStep:
    """Ask Kubeflow's API for the step of a run that failed.

    Raises:
        OSError: the token cannot be read.
        urllib3.exceptions.HTTPError, kfp_server_api.ApiException: the API cannot be reached, or refuses.
    """
    from kfp_server_api import ApiClient, Configuration, RunServiceApi

    configuration = Configuration(host=address)
    if token_file:
        configuration.api_key = {"authorization": Path(token_file).read_text().strip()}
        configuration.api_key_prefix = {"authorization": "Bearer"}
    api = RunServiceApi(ApiClient(configuration))
    run = api.run_service_get_run(run_id, _request_timeout=TIMEOUT_S)
    tasks: list[Any] = (run.run_details and run.run_details.task_details) or []
    failed = [task for task in tasks if task.state == "FAILED" and is_step(task.display_name)]
    duration_s = (datetime.now(UTC) - run.created_at).total_seconds()
    if not failed:
        return FailedStep("", "", duration_s)
    first = min(failed, key=lambda task: task.end_time or datetime.max.replace(tzinfo=UTC))
    error = first.error.message if first.error else ""
    return FailedStep(first.display_name, explain(first.display_name, error), duration_s)
