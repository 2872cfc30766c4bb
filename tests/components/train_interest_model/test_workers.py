"""Distributed training with several processes: MultiWorkerMirroredStrategy with TF_CONFIG."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from components.train_interest_model.export.saved_weights import SavedWeights
from components.train_interest_model.training import train
from feature_repo.feedback import FeedbackPolicy
from tests.components.train_interest_model.conftest import SMALL, RecordingTracker, World
from tests.patience import HANG_S

ROOT = Path(__file__).parents[3]
SETTINGS = {**SMALL, "epochs": 2, "item_dropout": 0.0}


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def start(world: World, output: Path, tf_config: dict[str, object]) -> subprocess.Popen[str]:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CONFIG": json.dumps(tf_config)}
    command = [sys.executable, "-m", "tests.components.train_interest_model.worker"]
    arguments = [str(world.training_set), str(world.items), json.dumps(SETTINGS), str(output)]
    return subprocess.Popen(
        [*command, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.usefixtures("without_export")  # in this process
def test_two_workers_have_equal_weights_and_the_loss_of_one_worker(
    cycle: World, tracker: RecordingTracker, tmp_path: Path
) -> None:
    addresses, processes = [f"127.0.0.1:{port}" for port in free_ports(2)], {}
    for place, name in enumerate(("first", "second")):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": place}}
        processes[name] = start(cycle, tmp_path / name, task)
    data = cycle.training_set, cycle.items
    train(*data, "train", SETTINGS, tmp_path / "one", None, tracker, FeedbackPolicy())
    for name, process in processes.items():
        said, _ = process.communicate(timeout=HANG_S)
        assert process.returncode == 0, f"{name}:\n{said}"
    losses = {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in processes}
    assert losses["first"] == losses["second"]
    alone = [figures["loss"] for _, figures in tracker.metrics]
    assert losses["first"] == pytest.approx(alone, rel=1e-4)
    assert alone[1] < alone[0]
    # Only the first writes; equal validation figures and losses on both say that the other holds the same.
    assert (tmp_path / "first" / "saved_model" / "saved_model.pb").exists()
    assert not (tmp_path / "second" / "saved_model").exists()
    one, first = (SavedWeights.load(tmp_path / name).arrays for name in ("one", "first"))
    assert one.keys() == first.keys()
    for name, weights in one.items():
        np.testing.assert_allclose(weights, first[name], atol=1e-3, err_msg=name)
