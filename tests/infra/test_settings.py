"""Recommender and pipelines accept the settings of the manifests, and read the same addresses."""

from collections.abc import Callable
from typing import get_type_hints
from urllib.parse import urlsplit

import pytest
from typer.models import OptionInfo

from pipelines import settings as pipelines
from pipelines.commands.serving import recommend, record
from pipelines.settings import Settings
from serving.configuration import settings as serving
from serving.configuration.addresses import Addresses
from serving.configuration.settings import ServingSettings
from serving.configuration.variables import COMMAND, PIPELINES
from tests.infra.conftest import INFRA, Overlay

SHARED = ("home", "releases", "interaction_log", "registry", "online_store", "model_server")
STORES = ("warehouse", "interaction_log", "registry", "online_store", "tracking_uri", "releases")


@pytest.fixture
def loaded(overlay: Overlay, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, ServingSettings]:
    # The default of the image.
    monkeypatch.setenv("PENCHANT_HOME", "/var/lib/penchant")
    monkeypatch.setenv("PENCHANT_TOKENS", '{"admin": ["a-token-of-some-length"]}')  # from the secret
    for name, value in overlay.settings.items():
        monkeypatch.setenv(name, value)
    return pipelines.load_settings(), serving.load_settings()


def test_every_variable_is_a_setting(overlay: Overlay) -> None:
    fields = Settings.model_fields.keys() | ServingSettings.model_fields.keys()
    unknown = {name for name in overlay.settings if name.removeprefix("PENCHANT_").lower() not in fields}
    assert not unknown


def test_every_variable_in_a_manifest_is_a_setting() -> None:
    fields = Settings.model_fields.keys() | ServingSettings.model_fields.keys()
    lines = [line for file in INFRA.rglob("*.yaml") for line in file.read_text().splitlines()]
    variables = [line.split("name: ")[1] for line in lines if "name: PENCHANT_" in line]
    assert variables == ["PENCHANT_TOKENS"]
    assert {name.removeprefix("PENCHANT_").lower() for name in variables} <= fields


def test_the_recommender_knows_the_variables_of_the_other_processes() -> None:
    assert Settings.model_fields.keys() - Addresses.model_fields.keys() == PIPELINES
    variables = {option.envvar for command in (recommend, record) for option in _options(command)}
    assert variables == {f"PENCHANT_{name.upper()}" for name in COMMAND}


def _options(command: Callable[..., None]) -> list[OptionInfo]:
    annotations = get_type_hints(command, include_extras=True).values()
    found = [each for annotation in annotations for each in getattr(annotation, "__metadata__", ())]
    return [each for each in found if isinstance(each, OptionInfo) and each.envvar]


def test_recommender_and_pipelines_read_the_same_addresses(loaded: tuple[Settings, ServingSettings]) -> None:
    pipeline_settings, serving_settings = loaded
    for name in SHARED:
        assert getattr(pipeline_settings, name) == getattr(serving_settings, name), name
    assert serving_settings.features == pipeline_settings.features


def test_production_stores_no_data_in_a_pod(production: Overlay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_HOME", "/pod-home")
    for name, value in production.settings.items():
        monkeypatch.setenv(name, value)
    settings = pipelines.load_settings()
    assert [name for name in STORES if "/pod-home" in getattr(settings, name)] == []
    assert settings.accelerator_count > 0
    assert settings.image.endswith("-gpu")


def test_no_address_holds_a_password(overlay: Overlay) -> None:
    for name, value in overlay.settings.items():
        assert urlsplit(value).password is None, name
        assert "password" not in value.lower(), name


def test_the_recommender_listens_for_other_pods(loaded: tuple[Settings, ServingSettings]) -> None:
    _, settings = loaded
    assert settings.host == "0.0.0.0"
    assert settings.metrics_port is not None


def test_images_of_steps_and_recommender_have_the_same_version(production: Overlay) -> None:
    tags = {image["name"]: image["newTag"] for image in production.kustomization["images"]}
    assert tags["penchant/recommender"] == tags["penchant/training"]
    assert production.settings["PENCHANT_IMAGE"] == f"penchant/training:{tags['penchant/training']}-gpu"
