"""Writes the interest states of users to the online store, in Feast's format, without Feast.

Feast is imported in two seconds or more, and converts each row through pandas. Its format is what serving
reads, so the two sides are tested together (tests/components/materialize_features/test_online_states.py).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow.parquet as pq
from google.protobuf.timestamp_pb2 import Timestamp

from components.interest_batches import Compute
from components.materialize_features.interest_states import write_interest_states
from feature_repo.contract import FEAST_PROJECT, USER_INTEREST_STATE
from feature_repo.filesystems import open_binary
from feature_repo.store_addresses import FeatureStoreAddresses, is_file, table_path
from feature_repo.table_schemas import INTEREST_STATES
from serving.online_store.readers import entity_key, hash_field
from serving.protos.feature_store_pb2 import FloatList, Value

# Users of a transaction, so that a reader of a large store never waits long.
_USERS_PER_WRITE: Final = 2_000
_LOCK_TIMEOUT_S: Final = 30.0

_FEATURES: Final = tuple(name for name in INTEREST_STATES.names if name != "user_id")

# A user's key, and the features by name; Feast keeps numbers as text, too.
_User = tuple[bytes, dict[str, tuple[bytes, str | None]]]


def materialize_interests(version: int, compute: Compute, addresses: FeatureStoreAddresses) -> None:
    """Write the interest of each user under one release to the offline and the online store.

    Args:
        compute: runs the interest model of the release.

    Raises:
        StepError: there are no features at `addresses.features`, or the release has no usable model.
        OSError, sqlite3.Error, redis.RedisError: a store can't be read or written.
    """
    event_time = write_interest_states(version, addresses.features, compute)
    write_online(addresses.features, addresses.online_store, event_time)


def write_online(features: str, online_store: str, event_time: int) -> None:
    """Copy the table of interest states at `features` to the online store.

    Args:
        online_store: as in FeatureStoreAddresses; its tables exist since a materialization.
        event_time: of the states, in µs since the epoch.

    Raises:
        OSError, sqlite3.Error, redis.RedisError: the table or the store can't be read or written.
    """
    write = _write_sqlite if is_file(online_store) else _write_redis
    write(online_store, _batches(features), event_time)


def _batches(features: str) -> Iterator[list[_User]]:
    with open_binary(table_path(features, USER_INTEREST_STATE)) as file, pq.ParquetFile(file) as table:
        for batch in table.iter_batches(_USERS_PER_WRITE, columns=INTEREST_STATES.names):
            yield [_user(row) for row in batch.to_pylist()]


def _user(row: dict[str, Any]) -> _User:
    values = {name: _value(row[name]) for name in _FEATURES}
    return entity_key(row["user_id"]), values


def _value(value: int | list[float]) -> tuple[bytes, str | None]:
    if isinstance(value, list):
        return Value(float_list_val=FloatList(val=value)).SerializeToString(), None
    return Value(int64_val=value).SerializeToString(), str(value)


def _write_sqlite(path: str, batches: Iterator[list[_User]], event_time: int) -> None:
    at = event_time // 1_000_000  # Feast stores seconds
    statement = f"""INSERT INTO "{FEAST_PROJECT}_{USER_INTEREST_STATE}"
        (entity_key, feature_name, value, value_text, event_ts, created_ts) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (entity_key, feature_name) DO UPDATE SET value = excluded.value,
        value_text = excluded.value_text, event_ts = excluded.event_ts, created_ts = excluded.created_ts"""
    with closing(sqlite3.connect(path, _LOCK_TIMEOUT_S)) as connection:
        for users in batches:
            with connection:
                connection.executemany(
                    statement,
                    (
                        (key, name, value, text, at, at)
                        for key, values in users
                        for name, (value, text) in values.items()
                    ),
                )


def _write_redis(address: str, batches: Iterator[list[_User]], event_time: int) -> None:
    import redis

    at = Timestamp()
    at.FromDatetime(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event_time))
    fields: dict[Any, Any] = {f"_ts:{USER_INTEREST_STATE}": at.SerializeToString()}
    with closing(redis.Redis.from_url(address)) as client:
        for users in batches:
            with client.pipeline(transaction=False) as pipeline:
                for key, values in users:
                    stored = {
                        hash_field(USER_INTEREST_STATE, name): value for name, (value, _) in values.items()
                    }
                    name: Any = key + FEAST_PROJECT.encode()
                    pipeline.hset(name, mapping=fields | stored)
                pipeline.execute()
