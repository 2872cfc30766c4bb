from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.settings import Settings, load_settings
from tests.pipelines.kubeflow.fake_kubeflow import FakeKubeflow, fake_kubeflow

TOKEN = "a-token-of-the-fake-server"


@pytest.fixture
def kubeflow() -> Iterator[FakeKubeflow]:
    with fake_kubeflow(TOKEN) as server:
        yield server


@pytest.fixture
def settings(kubeflow: FakeKubeflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that reach the fake server, with all addresses of a cluster."""
    monkeypatch.setenv("HOME", str(tmp_path))  # kfp writes ~/.config/kfp
    token = tmp_path / "token"
    token.write_text(TOKEN)
    return load_settings(
        home=tmp_path,
        kubeflow=kubeflow.address,
        kubeflow_token_file=token,
        warehouse="s3://bucket/warehouse",
        releases="s3://bucket/releases",
        interaction_log="postgresql+psycopg://database/penchant",
        registry="postgresql+psycopg://database/feast",
        online_store="redis://redis:6379",
        tracking_uri="http://mlflow:5000",
        model_server="model-server:8500",
    )
