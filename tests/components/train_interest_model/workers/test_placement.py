"""Where workers share their data and the checkpoint, on one machine and on Kubeflow."""

from pathlib import Path
from typing import Any

import pytest

from components.errors import StepError
from components.train_interest_model.workers import placement
from components.train_interest_model.workers.chief_task import ChiefTask
from components.train_interest_model.workers.job_manifest import FIELDS
from components.train_interest_model.workers.local_workers import LocalWorkers
from components.train_interest_model.workers.placement import delete_left, train_on_workers
from feature_repo.filesystems import locate

TASK = ChiefTask("training_set", "items", "train", {}, "output", None, "{}", None, "", "")


class Supervised:
    """Stands in for `supervise`: writes into both folders, and fails while `error` is set."""

    def __init__(self) -> None:
        self.workers: Any = None
        self.folders: tuple[str, str] = ("", "")
        self.error = ""

    def __call__(self, task: ChiefTask, workers: Any, shared: str, checkpoint: str) -> dict[str, float]:
        self.workers, self.folders = workers, (shared, checkpoint)
        for folder in self.folders:
            Path(folder).mkdir(parents=True, exist_ok=True)
        if self.error:
            raise StepError(self.error)
        return {"loss": 0.5}


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Supervised:
    supervised = Supervised()
    monkeypatch.setattr(placement, "supervise", supervised)
    monkeypatch.setattr(placement, "KubernetesWorkers", lambda *arguments: arguments)
    monkeypatch.chdir(tmp_path)
    return supervised


def test_processes_of_this_machine_share_a_temporary_folder(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in FIELDS:
        monkeypatch.delenv(variable, raising=False)
    assert train_on_workers(TASK, 2, "warehouse", tmp_path) == {"loss": 0.5}
    assert isinstance(supervised.workers, LocalWorkers)
    # The checkpoint is where one worker alone looks for it.
    assert supervised.folders == (str(tmp_path / "shared"), "output/checkpoint")


def test_a_repeated_step_finds_the_checkpoint_but_not_what_the_first_one_shared(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in FIELDS:
        monkeypatch.setenv(variable, f"first-{variable}")
    monkeypatch.setenv("TRAINING_RUN_ID", "run")
    warehouse = str(tmp_path / "warehouse")
    supervised.error = "the workers ended"
    with pytest.raises(StepError, match="the workers ended"):
        train_on_workers(TASK, 2, warehouse, tmp_path)
    assert supervised.workers[0] == 2
    first_shared, checkpoint = supervised.folders
    assert Path(checkpoint).is_dir()

    monkeypatch.setenv("TRAINING_POD_UID", "second")
    supervised.error = ""
    assert train_on_workers(TASK, 2, warehouse, tmp_path) == {"loss": 0.5}
    assert supervised.folders[1] == checkpoint == f"{warehouse}/training/run-train/checkpoint"
    assert supervised.folders[0] != first_shared
    assert not list(Path(warehouse, "training").iterdir())


@pytest.mark.parametrize("bucket", ["", "memory://left/warehouse/"])
def test_what_failed_trainings_left_is_deleted_from_a_folder_as_from_a_bucket(
    bucket: str, tmp_path: Path
) -> None:
    warehouse = bucket or str(tmp_path)
    filesystem, root = locate(warehouse)
    assert delete_left(warehouse) == 0
    for file in ("one-train/uid/0/items.npy", "one-train/checkpoint/training.npz", "two-all/uid/0/items.npy"):
        filesystem.makedirs(f"{root}/training/{file}".rpartition("/")[0], exist_ok=True)
        filesystem.pipe(f"{root}/training/{file}", b"x")
    filesystem.pipe(f"{root}/kept.json", b"x")
    assert delete_left(warehouse) == 2
    assert [name.rpartition("/")[2] for name in filesystem.find(root)] == ["kept.json"]
