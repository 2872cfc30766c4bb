"""TensorFlow Serving is configured for the releases that are pushed and the requests that are sent."""

import importlib.metadata
import re

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from feature_repo.contract import INTEREST_MODEL, PAD
from feature_repo.histories import History, encode
from tests.infra.conftest import KUBERNETES, Overlay, Rendered

CONFIG = KUBERNETES / "base" / "model-server"


@pytest.fixture
def model() -> model_server_config_pb2.ModelConfig:
    text = (CONFIG / "models.config").read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    return model


def test_it_holds_every_published_version_of_the_interest_model(
    model: model_server_config_pb2.ModelConfig,
) -> None:
    assert model.name == INTEREST_MODEL
    assert model.model_platform == "tensorflow"
    assert model.model_version_policy.WhichOneof("policy_choice") == "all"


def test_it_looks_where_releases_are_published(
    model: model_server_config_pb2.ModelConfig, overlay: Overlay, rendered: Rendered
) -> None:
    (container,) = rendered.pods["model-server"]["spec"]["containers"]
    mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"] if m.get("readOnly")}
    if "PENCHANT_RELEASES" not in overlay.settings:
        assert mounts == {"home": overlay.settings["PENCHANT_HOME"]}
        assert model.base_path == f"{mounts['home']}/releases/{INTEREST_MODEL}"
        return
    assert model.base_path == f"{mounts['releases']}/{INTEREST_MODEL}"
    (volume,) = rendered.kind("PersistentVolume")
    (prefix,) = (o.split()[1] for o in volume["spec"]["mountOptions"] if o.startswith("prefix "))
    bucket = volume["spec"]["csi"]["volumeAttributes"]["bucketName"]
    assert f"{overlay.settings['PENCHANT_RELEASES']}/" == f"s3://{bucket}/{prefix}"


def test_its_files_are_those_its_flags_name(rendered: Rendered) -> None:
    (container,) = rendered.pods["model-server"]["spec"]["containers"]
    named = {arg.split("/")[-1] for arg in container["args"] if "_file=/etc/model-server/" in arg}
    assert named == {file.name for file in CONFIG.iterdir()}


def test_it_pads_a_batch_with_what_every_history_begins_with() -> None:
    parameters = (CONFIG / "batching.config").read_text()
    assert re.search(r"^pad_variable_length_inputs: true$", parameters, re.MULTILINE)
    encoded = encode([History(["a"], ["item"], ["view"], [1.0], [1])])
    assert encoded["item_ids"][0, 0] == PAD
    assert np.isnan(encoded["values"][0, 0])
    assert encoded["timestamps"][0, 0] == 0


def test_it_is_of_the_version_whose_api_is_tested(overlay: Overlay) -> None:
    tags = {image["name"]: image["newTag"] for image in overlay.kustomization["images"]}
    assert tags["tensorflow/serving"] == importlib.metadata.version("tensorflow-serving-api")
