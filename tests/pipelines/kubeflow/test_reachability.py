from typing import Any

import pytest

from pipelines.kubeflow.reachability import check_reachable
from pipelines.settings import Settings, load_settings

REACHABLE = {
    "warehouse": "s3://bucket/warehouse",
    "interaction_log": "postgresql+psycopg://database/penchant?service=penchant",
    "online_store": "redis://redis:6379",
    "tracking_uri": "https://mlflow.example.com",
    "model_server": "model-server:8500",
    "interactions_file": "https://files.example.com/interactions.csv",
    "items_file": "",
    "hyperparameters": {"epochs": 3},
}


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(home=tmp_path_factory.mktemp("home"))


def test_servers_buckets_and_urls_are_reachable(settings: Settings) -> None:
    check_reachable(settings, REACHABLE)


@pytest.mark.parametrize(
    ("name", "address", "key"),
    [
        ("warehouse", "/data/warehouse", "PENCHANT_WAREHOUSE=/data/warehouse, a path of this machine"),
        ("releases", "file:///data/releases", "PENCHANT_RELEASES=file:///data/releases"),
        ("interaction_log", "sqlite:////data/log.db", "PENCHANT_INTERACTION_LOG=sqlite:////data/log.db"),
        ("tracking_uri", "sqlite+pysqlite:////data/mlflow.db", "PENCHANT_TRACKING_URI="),
        (
            "tracking_uri",
            "http://localhost:5000",
            "PENCHANT_TRACKING_URI=http://localhost:5000, which is this",
        ),
        ("online_store", "redis://127.0.0.1:6379", "PENCHANT_ONLINE_STORE="),
        ("model_server", "[::1]:8500", "PENCHANT_MODEL_SERVER="),
        (
            "interactions_file",
            "/data/shop.csv",
            "--interactions=/data/shop.csv, a path of this machine",
        ),
    ],
)
def test_an_address_of_this_machine_is_refused_with_its_setting(
    settings: Settings, name: str, address: str, key: str
) -> None:
    with pytest.raises(ValueError, match="cannot reach") as refused:
        check_reachable(settings, REACHABLE | {name: address})

    assert key in str(refused.value)


def test_with_a_volume_the_home_is_reachable_and_nothing_else(settings: Settings) -> None:
    mounted = settings.model_copy(update={"volume_claim": "penchant"})
    inside: dict[str, Any] = {
        "warehouse": f"{settings.home}/warehouse",
        "interaction_log": f"sqlite:///{settings.home}/log.db",
    }
    check_reachable(mounted, inside)

    with pytest.raises(ValueError, match=f"--items=/elsewhere/items.csv: .* mounts {settings.home} alone"):
        check_reachable(mounted, inside | {"items_file": "/elsewhere/items.csv"})


def test_all_faults_are_listed_at_once(settings: Settings) -> None:
    with pytest.raises(ValueError, match=r"PENCHANT_WAREHOUSE.*; PENCHANT_RELEASES"):
        check_reachable(settings, {"warehouse": "/a", "releases": "/b"})
