"""Unloading of versions, and a base path that disappears."""

import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

from serving.model_server.model import Model
from serving.model_server.versions import latest
from tests.patience import HANG_S, wait_until
from tests.serving.model_server.tiny_model import predict_request, sequences


@pytest.fixture
def model(releases: Mapping[float, Path], tmp_path: Path) -> Model:
    """A model that serves version 1 from `tmp_path`."""
    shutil.copytree(releases[1.0], tmp_path / "1")
    model = Model("tiny", tmp_path, latest(1))
    model.poll()
    return model


def state(model: Model) -> int:
    return model.statuses()[0].state


def test_a_version_is_unloaded_after_its_last_request(model: Model, tmp_path: Path) -> None:
    with model.lease(1) as servable:
        shutil.rmtree(tmp_path / "1")
        poll = threading.Thread(target=model.poll)
        poll.start()
        wait_until(lambda: state(model) == ModelVersionStatus.UNLOADING)
        with pytest.raises(tf.errors.NotFoundError), model.lease(1):
            pass
        servable.predict(predict_request("tiny", sequences(["i1"])))

    poll.join(HANG_S)
    assert state(model) == ModelVersionStatus.END


def test_loaded_versions_stay_when_the_base_path_disappears(
    model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(tmp_path)

    model.poll()
    model.poll()

    assert model.available() == [1]
    assert caplog.text.count("can't list") == 1
