"""Feature views are written to the online store as Feast writes them, and only what has changed."""

import io
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import redis

from components.feast_backend import feast_backend
from components.materialize_features.interest_states import write_interest_states
from components.materialize_features.online_writer import write_view
from feature_repo.attributes import Attributes
from feature_repo.contract import USER_HISTORY, USER_INTEREST_STATE, USER_PROFILE
from feature_repo.histories import History
from feature_repo.interest_state import InterestBatch
from feature_repo.store import open_store
from feature_repo.store_addresses import FeatureStoreAddresses
from serving.online_store.readers import entity_key, hash_field
from tests.feature_repo.planted import START, Warehouse, build_warehouse, interaction, search
from tests.serving.online_store.test_online_features import free_port, redis_server

SECOND = 1_000_000
AS_OF = START + 1_000 * SECOND
VIEWS = (USER_HISTORY, USER_PROFILE)
PLANTED = [
    *(interaction(user, f"ïtem {at}", at, value=at / 7) for user in ("ann", "bob") for at in (10, 20, 30)),
    interaction("bob", "no value", 40, value=float("nan")),
    search("cid", "only words", 50),
]
# "dan" has no history, and each kind of attribute is missing once.
USERS = pa.table(
    {
        "user_id": ["ann", "bob", "dan"],
        "city": ["", None, "Zürich"],
        "age": [30, 0, None],
        "score": [1e-300, float("nan"), -2.5],
    }
)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return build_warehouse(tmp_path_factory.mktemp("first"), PLANTED, AS_OF, users=USERS)


@pytest.fixture(scope="module")
def next_night(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The next snapshot, in which only "ann" has something new."""
    newer = [*PLANTED, interaction("ann", "new", 2_000 * SECOND)]
    directory = tmp_path_factory.mktemp("second")
    return build_warehouse(directory, newer, AS_OF + 3_000 * SECOND, users=USERS)


@pytest.fixture(scope="module")
def redis_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis"), free_port()) as address:
        yield address


@pytest.fixture(params=["sqlite", "redis"])
def online(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty online store."""
    if request.param == "sqlite":
        return str(tmp_path / "online.db")
    address: str = request.getfixturevalue("redis_address")
    with redis.Redis.from_url(address) as client:
        client.flushall()
    return address


def write(warehouse: Warehouse, online: str, views: Sequence[str] = VIEWS, at: int = 0) -> None:
    for view in views:
        write_view(view, registered(warehouse, online), at or warehouse.as_of)


def write_by_feast(warehouse: Warehouse, online: str, views: Sequence[str] = VIEWS, at: int = 0) -> None:
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at or warehouse.as_of)
    with feast_backend(), redirect_stdout(io.StringIO()):  # Feast prints a progress bar
        open_store(replace(warehouse.addresses, online_store=online)).materialize(time, time, list(views))


def registered(warehouse: Warehouse, online: str) -> FeatureStoreAddresses:
    addresses = replace(warehouse.addresses, online_store=online)
    if online not in REGISTERED:  # each registration takes a tenth of a second
        open_store(addresses)
        REGISTERED.add(online)
    return addresses


REGISTERED = set[str]()


def take(online: str, views: Sequence[str] = VIEWS) -> list[Any]:
    """Return everything that is stored, without own digests, and empty the store."""
    if online.startswith("redis"):
        with redis.Redis.from_url(online) as client:
            hashes: Any = {key: client.hgetall(key) for key in client.keys()}  # noqa: SIM118
            client.flushall()
        return sorted(
            (key, sorted((name, value) for name, value in fields.items() if b"_digest" not in name))
            for key, fields in hashes.items()
        )
    tables = [rows(online, view) for view in views]
    with closing(sqlite3.connect(online)) as connection:
        for view in views:
            connection.execute(f'DELETE FROM "penchant_{view}"')
        connection.commit()
    return tables


def rows(online: str, view: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(online)) as connection:
        query = f'SELECT * FROM "penchant_{view}" ORDER BY entity_key, feature_name'
        return connection.execute(query).fetchall()


def test_histories_and_profiles_equal_those_of_feast(warehouse: Warehouse, online: str) -> None:
    write(warehouse, online)
    own = take(online)
    write_by_feast(warehouse, online)
    by_feast = take(online)
    assert [len(part) for part in own] == [len(part) for part in by_feast] != []
    assert own == by_feast


def compute(histories: Sequence[History], users: Sequence[Attributes]) -> InterestBatch:
    """Return states that differ by user."""
    numbers = np.arange(1, 1 + len(histories), dtype=np.float32)[:, None]
    return InterestBatch(
        numbers * np.array([0.5, -1.0], np.float32),
        numbers * np.array([1.0, 2.0, 3.0], np.float32),
        np.full(len(histories), START),
    )


def test_interest_states_equal_those_of_feast(warehouse: Warehouse, online: str) -> None:
    views = [USER_INTEREST_STATE]
    at = write_interest_states(7, warehouse.addresses.features, compute)
    write(warehouse, online, views, at)
    own = take(online, views)
    write_by_feast(warehouse, online, views, at)
    assert own
    assert own == take(online, views)


def test_the_next_night_leaves_what_a_full_write_of_it_leaves(
    warehouse: Warehouse, next_night: Warehouse, online: str
) -> None:
    write(warehouse, online)
    write(next_night, online)
    incremental = take(online)
    write(next_night, online)
    full = take(online)
    if not online.startswith("redis"):  # a row keeps the event time of its value
        incremental, full = (
            [[row[:5] for row in table] for table in tables] for tables in (incremental, full)
        )
    assert incremental
    assert incremental == full


def test_sqlite_rows_with_an_equal_value_are_not_written_again(
    warehouse: Warehouse, next_night: Warehouse, tmp_path: Path
) -> None:
    online = str(tmp_path / "online.db")
    write(warehouse, online)
    write(next_night, online)
    written = {
        user: {name for key, name, *_, time, _ in rows(online, USER_HISTORY)
               if key == entity_key(user) and time == next_night.as_of // SECOND}
        for user in ("ann", "bob")
    }  # fmt: skip
    assert written == {
        "ann": {"interaction_ids", "item_ids", "event_types", "values", "timestamps", "as_of"},
        "bob": {"as_of"},
    }


def test_redis_gets_only_times_for_a_user_with_nothing_new(
    warehouse: Warehouse, next_night: Warehouse, redis_address: str
) -> None:
    items = hash_field(USER_HISTORY, "item_ids")
    keys = {user: entity_key(user) + b"penchant" for user in ("ann", "bob")}
    with redis.Redis.from_url(redis_address) as client:
        client.flushall()
        write(warehouse, redis_address)
        for key in keys.values():  # a value that only a write of the whole user replaces
            client.hset(key, items, b"planted")
        write(next_night, redis_address)
        kept = {user: client.hget(key, items) == b"planted" for user, key in keys.items()}
    assert kept == {"ann": False, "bob": True}


def test_redis_is_written_again_after_a_write_by_feast(
    warehouse: Warehouse, next_night: Warehouse, redis_address: str
) -> None:
    items, key = hash_field(USER_HISTORY, "item_ids"), entity_key("bob") + b"penchant"
    with redis.Redis.from_url(redis_address) as client:
        client.flushall()
        write(warehouse, redis_address)
        client.hset(key, mapping={items: b"planted", f"_ts:{USER_HISTORY}": b"\x08\x01"})
        write(next_night, redis_address)
        assert client.hget(key, items) not in (None, b"planted")


def test_an_older_snapshot_does_not_replace_a_newer_one_in_redis(
    warehouse: Warehouse, next_night: Warehouse, redis_address: str
) -> None:
    with redis.Redis.from_url(redis_address) as client:
        client.flushall()
        write(next_night, redis_address)
        newer = client.hgetall(entity_key("ann") + b"penchant")
        write(warehouse, redis_address)
        assert newer
        assert client.hgetall(entity_key("ann") + b"penchant") == newer
