"""Training with several processes: equal to one, and whole again after one is killed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from components.errors import StepError
from components.train_interest_model.export.saved_weights import SavedWeights
from components.train_interest_model.loop.worker_group import Group
from components.train_interest_model.training import train
from components.train_interest_model.workers import local_workers, supervision
from components.train_interest_model.workers.chief_task import ChiefTask, Result
from components.train_interest_model.workers.local_workers import LocalWorkers
from components.train_interest_model.workers.supervision import RESTARTS, supervise
from feature_repo.feedback import FeedbackPolicy
from tests.components.train_interest_model.conftest import SMALL, RecordingTracker, World
from tests.patience import HANG_S

ROOT = Path(__file__).parents[4]
# 15 windows in a batch, which two workers can't share equally.
SETTINGS = {**SMALL, "epochs": 2, "item_dropout": 0.0, "batch_size": 15 * 12}


def task_of(world: World, output: Path) -> ChiefTask:
    return ChiefTask(
        training_set=str(world.training_set),
        items=str(world.items),
        split="train",
        hyperparameters=SETTINGS,
        output=str(output),
        base_model=None,
        feedback=FeedbackPolicy().to_json(),
        warm_start=None,
        tracking_uri="",
        run_id="",
    )


@pytest.mark.usefixtures("without_export")  # in this process
def test_two_workers_of_which_one_is_killed_have_the_weights_of_one_worker(
    cycle: World, tracker: RecordingTracker, tmp_path: Path
) -> None:
    task, shared, checkpoint, output = (tmp_path / name for name in ("task", "shared", "checkpoint", "two"))
    task_of(cycle, output).write(task)
    module = "tests.components.train_interest_model.workers.forked_group"
    group = subprocess.Popen(
        [sys.executable, "-m", module, str(task), str(shared), str(checkpoint)],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    data = cycle.training_set, cycle.items
    alone = train(*data, "train", SETTINGS, tmp_path / "one", None, tracker, FeedbackPolicy())
    said, errors = group.communicate(timeout=HANG_S)
    assert group.returncode == 0, said + errors

    killed = "» worker 2 of 2 was ended by SIGKILL (often: too little memory): all workers start again from"
    assert said.count(killed) == 1
    assert said.count("» resumed after epoch 1 ") == 1
    assert json.loads((output / "epochs.json").read_text())[0][0] == 2  # of the second attempt
    assert json.loads(said.splitlines()[-1])["loss"] == pytest.approx(alone["loss"], rel=1e-5)
    one, two = (SavedWeights.load(folder).arrays for folder in (tmp_path / "one", output))
    assert one.keys() == two.keys()
    for name, weights in one.items():
        np.testing.assert_allclose(weights, two[name], rtol=0, atol=1e-5, err_msg=name)
    assert not list(shared.glob("*"))
    assert not list(checkpoint.glob("*"))


class Ended:
    """A process that has ended."""

    stdin = None

    def __init__(self, code: int) -> None:
        self._code = code

    def poll(self) -> int:
        return self._code

    def kill(self) -> None:
        """It has ended."""

    def wait(self) -> None:
        """It has ended."""


Started = list[tuple[str, list[str]]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Started]:
    """Let each process end at once: the chief after it has written a result, if there is one to write."""

    def end_with(chief_code: int = 0, follower_code: int = 0, result: Result | None = None) -> Started:
        processes: Started = []

        def start(module: str, arguments: list[str], _: IO[bytes] | None) -> Ended:
            processes.append((module, arguments))
            is_chief = module == supervision.CHIEF
            if is_chief and result:
                result.write(Path(arguments[1]))
            return Ended(chief_code if is_chief else follower_code)

        for user in (supervision, local_workers):
            monkeypatch.setattr(user, "start_process", start)
        return processes

    return end_with


def test_the_figures_of_the_chief_come_back(
    cycle: World, started: Callable[..., Started], tmp_path: Path
) -> None:
    processes = started(result=Result(figures={"loss": 0.5}))
    assert supervise(task_of(cycle, tmp_path), LocalWorkers(3), str(tmp_path / "s"), "c") == {"loss": 0.5}
    assert [module for module, _ in processes] == [supervision.CHIEF, *[local_workers.FOLLOWER] * 2]
    assert [arguments[1] for _, arguments in processes[1:]] == ["0", "1"]


def test_a_training_that_fails_is_not_tried_again(
    cycle: World, started: Callable[..., Started], tmp_path: Path
) -> None:
    processes = started(follower_code=1, result=Result(error="the training diverged in epoch 2/9"))
    with pytest.raises(StepError, match=r"^the training diverged in epoch 2/9$"):
        supervise(task_of(cycle, tmp_path), LocalWorkers(2), str(tmp_path / "s"), "c")
    assert len(processes) == 2


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ({"chief_code": -9}, r"worker 1 of 2 was ended by SIGKILL \(often: too little memory\)"),
        ({"chief_code": 1, "follower_code": -15}, "worker 2 of 2 was ended by SIGTERM"),
    ],
)
def test_workers_that_end_again_and_again_end_the_training(
    codes: dict[str, Any],
    message: str,
    cycle: World,
    started: Callable[..., Started],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    processes = started(**codes)
    with pytest.raises(StepError, match=f"^{message}, as one did in {RESTARTS} attempts before: .*WORKERS"):
        supervise(task_of(cycle, tmp_path), LocalWorkers(2), str(tmp_path / "s"), "c")
    assert len(processes) == 2 * (1 + RESTARTS)
    assert capsys.readouterr().out.count("» worker ") == RESTARTS


def test_the_task_of_the_chief_is_read_as_it_was_written(cycle: World, tmp_path: Path) -> None:
    group = Group(("10.0.0.1:2222", "worker-0.workers:2222"), "s3://shop/shared", "s3://shop/checkpoint")
    task = ChiefTask(**{**vars(task_of(cycle, tmp_path)), "base_model": str(tmp_path), "group": group})
    task.write(tmp_path / "task.json")
    assert ChiefTask.read(tmp_path / "task.json") == task
    arguments = task.arguments()
    assert arguments["feedback"] == FeedbackPolicy()
    assert (arguments["base_model"], arguments["warm_start"]) == (tmp_path, None)
    assert not group.is_local
    assert group.addresses() == list(group.hosts)


def test_more_workers_than_windows_in_a_batch_are_refused(
    cycle: World, tracker: RecordingTracker, tmp_path: Path
) -> None:
    group = Group(("127.0.0.1",) * 17, str(tmp_path / "shared"), str(tmp_path / "checkpoint"))
    data = cycle.training_set, cycle.items
    message = "PENCHANT_TRAINING_WORKERS=17: expected at most 14, since a batch of 180 positions has 14.5 win"
    with pytest.raises(StepError, match=message):
        train(*data, "train", SETTINGS, tmp_path, None, tracker, FeedbackPolicy(), None, group)
