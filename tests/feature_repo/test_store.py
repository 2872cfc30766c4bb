"""Addresses of the feature store, atomic writes of the registry, and Feast's own command line."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from feast import FeatureStore
from feast.cli.cli import cli
from sqlalchemy.exc import IntegrityError

import feature_repo
from feature_repo.contract import FEAST_PROJECT, USER_HISTORY
from feature_repo.store import connect_store, open_store
from feature_repo.store_addresses import FeatureStoreAddresses
from tests.feature_repo.planted import START, Warehouse, build_warehouse, interaction

AS_OF = START + 1_000
VIEWS = {"user_history", "user_profile", "user_interest_state"}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    planted = [interaction("ann", f"i{at}", at) for at in (10, 20, 30)]
    return build_warehouse(tmp_path_factory.mktemp("store"), planted, AS_OF)


def addresses_in(directory: Path, features: str = "", registry: str = "") -> FeatureStoreAddresses:
    return FeatureStoreAddresses(
        features, registry or str(directory / "registry.db"), str(directory / "online.db")
    )


def view_names(addresses: FeatureStoreAddresses) -> set[str]:
    return {view.name for view in connect_store(addresses).list_feature_views()}


@pytest.mark.parametrize("registry", ["{directory}/deep/registry.db", "sqlite:///{directory}/registry.sql"])
def test_the_registry_is_a_file_or_a_database(warehouse: Warehouse, tmp_path: Path, registry: str) -> None:
    addresses = addresses_in(tmp_path, warehouse.features, registry.format(directory=tmp_path))
    for _ in range(2):
        open_store(addresses)
    assert view_names(addresses) == VIEWS


@pytest.mark.parametrize(
    ("address", "connection"),
    [
        ("redis://cache", "cache:6379"),
        ("redis://cache:7000/2", "cache:7000,db=2"),
        ("rediss://:s%40crt@cache", 'cache:6379,ssl=true,password="s@crt"'),
        ("redis://ann:7@cache:7000", 'cache:7000,username="ann",password="7"'),
    ],
)
def test_a_redis_url_becomes_a_connection_string_of_feast(
    tmp_path: Path, address: str, connection: str
) -> None:
    store = connect_store(FeatureStoreAddresses("", str(tmp_path / "registry.db"), address))
    assert store.config.online_store.connection_string == connection


def test_connect_store_rejects_an_online_store_of_another_kind(tmp_path: Path) -> None:
    expected = r"online_store='mysql://ann:\*\*\*@x': expected a SQLite file path or redis://"
    with pytest.raises(ValueError, match=expected) as caught:
        connect_store(FeatureStoreAddresses("", str(tmp_path / "registry.db"), "mysql://ann:s3cret@x"))
    assert "s3cret" not in str(caught.value)


def test_open_store_fails_with_the_file_of_a_missing_table(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"user_history\.parquet"):
        open_store(addresses_in(tmp_path, str(tmp_path / "none")))


def test_a_failed_write_leaves_the_registry_unchanged(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = addresses_in(tmp_path, warehouse.features)
    store = open_store(addresses)

    def fail(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("feature_repo.feast_registry_file.os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        store.apply(store.get_feature_view(USER_HISTORY))
    assert view_names(addresses) == VIEWS


def test_open_store_retries_when_another_step_registers_the_same_objects(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply, conflicts = FeatureStore.apply, [IntegrityError("INSERT", {}, Exception("duplicate key"))] * 2

    def fail_twice(self: FeatureStore, objects: list[object]) -> None:
        if conflicts:
            raise conflicts.pop()
        apply(self, objects)

    monkeypatch.setattr(FeatureStore, "apply", fail_twice)
    monkeypatch.setattr("feature_repo.store.time.sleep", lambda _: None)
    addresses = addresses_in(tmp_path, warehouse.features)
    open_store(addresses)
    assert view_names(addresses) == VIEWS


def test_feast_apply_registers_every_object(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo, home = tmp_path / "feature_repo", tmp_path / ".penchant"
    repo.mkdir()
    for name in ("feature_store.yaml", "feast_cli.py"):
        shutil.copy(Path(*feature_repo.__path__, name), repo)
    shutil.copytree(warehouse.features, home / "warehouse" / "features")
    (home / "feast").mkdir()
    monkeypatch.chdir(repo)
    monkeypatch.syspath_prepend(repo)
    result = CliRunner().invoke(cli, ["apply"])
    assert result.exit_code == 0, result.output
    assert view_names(addresses_in(home / "feast")) == VIEWS
    assert FEAST_PROJECT in (repo / "feature_store.yaml").read_text()
