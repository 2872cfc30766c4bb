"""The configuration of TensorFlow Serving fits the published releases and the requests."""

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


def test_it_loads_every_published_version_of_the_interest_model(
    model: model_server_config_pb2.ModelConfig,
) -> None:
    assert model.name == INTEREST_MODEL
    assert model.model_platform == "tensorflow"
    assert model.model_version_policy.WhichOneof("policy_choice") == "all"


def test_its_base_path_is_the_folder_of_published_releases(
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


def test_its_flags_name_every_configuration_file(rendered: Rendered) -> None:
    (container,) = rendered.pods["model-server"]["spec"]["containers"]
    files = {arg.split("/")[-1] for arg in container["args"] if "_file=/etc/model-server/" in arg}
    assert files == {file.name for file in CONFIG.iterdir()}


def test_it_pads_a_batch_with_the_padding_values_of_a_history() -> None:
    parameters = (CONFIG / "batching.config").read_text()
    assert re.search(r"^pad_variable_length_inputs: true$", parameters, re.MULTILINE)
    encoded = encode([History(["a"], ["item"], ["view"], [1.0], [1])])
    assert encoded["item_ids"][0, 0] == PAD
    assert np.isnan(encoded["values"][0, 0])
    assert encoded["timestamps"][0, 0] == 0


def test_its_version_is_that_of_the_tested_api(overlay: Overlay) -> None:
    tags = {image["name"]: image["newTag"] for image in overlay.kustomization["images"]}
    assert tags["tensorflow/serving"] == importlib.metadata.version("tensorflow-serving-api")
