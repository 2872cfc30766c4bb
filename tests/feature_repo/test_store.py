"""Addresses of the store, the registry that is written whole, and Feast's own command line."""

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
from tests.feature_repo.planted import START, Warehouse, build_warehouse, interaction

AS_OF = START + 1_000
VIEWS = {"user_history", "user_profile", "user_interest_state"}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    planted = [interaction("ann", f"i{at}", at) for at in (10, 20, 30)]
    return build_warehouse(tmp_path_factory.mktemp("store"), planted, AS_OF)


def view_names(registry: str, online_store: str) -> set[str]:
    return {view.name for view in connect_store(registry, online_store).list_feature_views()}


@pytest.mark.parametrize("registry", ["{directory}/deep/registry.db", "sqlite:///{directory}/registry.sql"])
def test_a_registry_is_a_file_or_a_database(warehouse: Warehouse, tmp_path: Path, registry: str) -> None:
    address = registry.format(directory=tmp_path)
    for _ in range(2):
        open_store(warehouse.features, address, str(tmp_path / "online.db"))
    assert view_names(address, str(tmp_path / "online.db")) == VIEWS


@pytest.mark.parametrize(
    ("address", "connection"),
    [
        ("redis://cache", "cache:6379"),
        ("redis://cache:7000/2", "cache:7000,db=2"),
        ("rediss://:s%40crt@cache", 'cache:6379,ssl=true,password="s@crt"'),
        ("redis://ann:7@cache:7000", 'cache:7000,username="ann",password="7"'),
    ],
)
def test_a_redis_url_becomes_the_connection_that_feast_reads(
    tmp_path: Path, address: str, connection: str
) -> None:
    store = connect_store(str(tmp_path / "registry.db"), address)
    assert store.config.online_store.connection_string == connection


def test_an_address_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="online_store='mysql://x': expected a SQLite file path or redis://"):
        connect_store(str(tmp_path / "registry.db"), "mysql://x")


def test_missing_features_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"user_history\.parquet"):
        open_store(str(tmp_path / "none"), str(tmp_path / "registry.db"), str(tmp_path / "online.db"))


def test_a_failed_write_leaves_the_registry_unchanged(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = (str(tmp_path / "registry.db"), str(tmp_path / "online.db"))
    store = open_store(warehouse.features, *addresses)

    def fail(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("feature_repo.registry_file.os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        store.apply(store.get_feature_view(USER_HISTORY))
    assert view_names(*addresses) == VIEWS


def test_a_step_that_applies_beside_another_tries_again(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply, refusals = FeatureStore.apply, [IntegrityError("INSERT", {}, Exception("duplicate key"))] * 2

    def refused_at_first(self: FeatureStore, objects: list[object]) -> None:
        if refusals:
            raise refusals.pop()
        apply(self, objects)

    monkeypatch.setattr(FeatureStore, "apply", refused_at_first)
    monkeypatch.setattr("feature_repo.store.time.sleep", lambda _: None)
    addresses = (str(tmp_path / "registry.db"), str(tmp_path / "online.db"))
    open_store(warehouse.features, *addresses)
    assert view_names(*addresses) == VIEWS


def test_feasts_own_command_finds_every_object(
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
    done = CliRunner().invoke(cli, ["apply"])
    assert done.exit_code == 0, done.output
    assert view_names(str(home / "feast" / "registry.db"), str(home / "feast" / "online_store.db")) == VIEWS
    assert FEAST_PROJECT in (repo / "feature_store.yaml").read_text()
