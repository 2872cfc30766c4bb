"""Trains with several workers: starts them, and starts them again from the checkpoint if one ends."""

import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from components.errors import StepError
from components.progress import report
from components.train_interest_model.loop.worker_group import Group
from components.train_interest_model.workers.chief_task import ChiefTask, Result
from components.train_interest_model.workers.local_workers import describe_exit, end_process, start_process
from feature_repo.filesystems import locate

CHIEF: Final = "components.train_interest_model.workers.chief"
RESTARTS: Final = 3
_LOOK_S: Final = 0.2


class Workers(Protocol):
    """The workers of a training beside the chief, wherever they run; each attempt starts new ones."""

    def hosts(self, attempt: int) -> tuple[str, ...]:
        """Return the hosts of all workers, the chief first, as in Group."""

    def start(self, attempt: int, shared: str, folder: Path) -> None:
        """Start them; they wait for the chief in the folder `shared`. `folder` is one of this machine."""

    def failure(self) -> str:
        """Return how one has failed, "" if none has."""

    def stop(self) -> None:
        """End them."""


def supervise(task: ChiefTask, workers: Workers, shared: str, checkpoint: str) -> dict[str, float]:
    """Return the figures of the training, of which a process of this machine is the chief.

    Args:
        shared, checkpoint: directories or fsspec URLs, see Group; what is shared is deleted at the end.

    Raises:
        StepError: the training failed, or a worker ended in each of 1 + RESTARTS attempts.
    """
    failure = ""
    for attempt in range(1 + RESTARTS):
        if attempt:
            report(f"{failure}: all workers start again from the last checkpoint")
        group = Group(workers.hosts(attempt), f"{shared}/{attempt}", checkpoint)
        result, failure = _attempt(replace(task, group=group), workers, attempt)
        if result is not None:
            if result.figures is None:
                raise StepError(result.error)
            return result.figures
    raise StepError(
        f"{failure}, as one did in {RESTARTS} attempts before: the log of the step has its last lines; "
        "give the workers more memory, or train with fewer of them (PENCHANT_TRAINING_WORKERS)"
    )


def _attempt(task: ChiefTask, workers: Workers, attempt: int) -> tuple[Result | None, str]:
    """Return the result, or how a worker ended before there was one."""
    assert task.group
    with tempfile.TemporaryDirectory(prefix="penchant-workers-") as folder:
        file, result = Path(folder, "task.json"), Path(folder, "result.json")
        task.write(file)
        chief = start_process(CHIEF, [str(file), str(result)], None)
        try:
            workers.start(attempt, task.group.shared, Path(folder))
            failure = _wait(chief, workers, len(task.group))
        finally:
            end_process(chief)
            workers.stop()
            delete_folder(task.group.shared)
        return (Result.read(result) if result.exists() else None), failure


def _wait(chief: "subprocess.Popen[bytes]", workers: Workers, count: int) -> str:
    """Return how the first worker failed, or the chief ended."""
    while (code := chief.poll()) is None:
        if failure := workers.failure():
            return failure
        time.sleep(_LOOK_S)
    # A chief that has lost another worker ends, too.
    return workers.failure() or f"worker 1 of {count} {describe_exit(code)}"


def delete_folder(folder: str) -> None:
    """Delete a directory or fsspec URL, if it exists."""
    filesystem, path = locate(folder)
    if filesystem.exists(path):
        filesystem.rm(path, recursive=True)
