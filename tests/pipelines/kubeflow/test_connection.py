import warnings
from pathlib import Path

import pytest

from pipelines.errors import RunError
from pipelines.kubeflow.connection import connect
from pipelines.kubeflow.schedules import Schedules
from pipelines.settings import Settings
from tests.pipelines.kubeflow.fake_kubeflow import FakeKubeflow


def list_schedules(settings: Settings) -> None:
    with connect(settings) as client:
        Schedules(client, settings).all()


def test_an_address_is_required(settings: Settings) -> None:
    with pytest.raises(ValueError, match="PENCHANT_KUBEFLOW is not set"):
        list_schedules(settings.model_copy(update={"kubeflow": ""}))


def test_a_missing_token_file_is_named(settings: Settings, tmp_path: Path) -> None:
    missing = tmp_path / "missing"

    with pytest.raises(ValueError, match=f"PENCHANT_KUBEFLOW_TOKEN_FILE='{missing}'"):
        list_schedules(settings.model_copy(update={"kubeflow_token_file": missing}))


def test_a_wrong_token_is_named(settings: Settings) -> None:
    assert settings.kubeflow_token_file
    settings.kubeflow_token_file.write_text("expired")

    with pytest.raises(RunError, match=r"Unauthenticated; the token is missing, wrong or expired"):
        list_schedules(settings)


def test_a_connection_prints_no_warning(settings: Settings) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*Kubeflow Pipeline")
        list_schedules(settings)


def test_a_server_that_is_gone_is_one_sentence(kubeflow: FakeKubeflow, settings: Settings) -> None:
    nowhere = settings.model_copy(update={"kubeflow": "http://127.0.0.1:9"})  # no server has this port

    with pytest.raises(RunError, match=r"127\.0\.0\.1:9 cannot be reached: .*Connection refused"):
        list_schedules(nowhere)


def test_a_failure_in_the_middle_is_one_sentence(kubeflow: FakeKubeflow, settings: Settings) -> None:
    kubeflow.fail_at = {"GET recurringruns": 503}

    with pytest.raises(RunError, match=r"^Kubeflow at .*: injected failure$"):
        list_schedules(settings)


def test_an_address_that_is_no_kubeflow_is_named(kubeflow: FakeKubeflow, settings: Settings) -> None:
    other = settings.model_copy(update={"kubeflow": f"{kubeflow.address}/other"})

    with pytest.raises(RunError, match="is PENCHANT_KUBEFLOW the address of the Pipelines API"):
        list_schedules(other)
