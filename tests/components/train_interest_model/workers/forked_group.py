"""Trains with two workers of which one is killed after the first epoch; both start again.

The workers are forks of this process, which has imported TensorFlow once for all of them. The chief records
its metrics in `epochs.json` of the output, without MLflow and export.
"""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any
from unittest import mock

from components.train_interest_model import training
from components.train_interest_model.loop.trainer import Trainer
from components.train_interest_model.workers import chief, local_workers, supervision
from components.train_interest_model.workers.chief_task import ChiefTask
from components.train_interest_model.workers.follower import follow
from components.train_interest_model.workers.local_workers import LocalWorkers
from tests.components.train_interest_model.conftest import RecordingTracker, empty_export


class Fork:
    """What is used of a subprocess.Popen."""

    stdin = None

    def __init__(self, run: Callable[..., None], arguments: list[str]) -> None:
        self._process = multiprocessing.get_context("fork").Process(target=run, args=arguments)
        self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> None:
        self._process.join()


def fork(module: str, arguments: list[str], _: IO[bytes] | None) -> Fork:
    return Fork(run_chief if module == supervision.CHIEF else run_follower, arguments)


def run_chief(file: str, result: str) -> None:
    task, tracker = ChiefTask.read(Path(file)), RecordingTracker()
    mlflow: dict[str, Any] = {
        "connect": mock.Mock(),
        "mlflow_errors": nullcontext,
        "Tracker": lambda *_: tracker,
    }
    with mock.patch.multiple(chief, **mlflow), mock.patch.object(training, "export", empty_export):
        chief.run(task).write(Path(result))
    Path(task.output, "epochs.json").write_text(json.dumps(tracker.metrics))


def run_follower(folder: str, number: str) -> None:
    epoch, is_first_attempt = Trainer._epoch, folder.endswith("/0")

    def epoch_or_death(trainer: Trainer, sequences: Any, state: Any) -> dict[str, float]:
        if is_first_attempt and state.epoch:  # the checkpoint of the first epoch is saved
            os.kill(os.getpid(), signal.SIGKILL)
        return epoch(trainer, sequences, state)

    with mock.patch.object(Trainer, "_epoch", epoch_or_death):
        follow(folder, int(number))


def main(task: str, shared: str, checkpoint: str) -> None:
    with (
        mock.patch.object(supervision, "start_process", fork),
        mock.patch.object(local_workers, "start_process", fork),
    ):
        figures = supervision.supervise(ChiefTask.read(Path(task)), LocalWorkers(2), shared, checkpoint)
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
