"""Writes feature views to the online store in Feast's format, without Feast: only what has changed.

Feast's materialization holds a whole view in memory, several times, and converts each row through pandas. Its
format is what serving reads, so own and Feast's rows are compared in
tests/components/materialize_features/test_online_writer.py.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from google.protobuf.timestamp_pb2 import Timestamp

from components.materialize_features.feature_values import Cell, encode
from feature_repo.contract import FEAST_PROJECT
from feature_repo.filesystems import open_binary
from feature_repo.store_addresses import FeatureStoreAddresses, is_file, table_path
from serving.online_store.readers import entity_key, hash_field

# Users of a transaction, so that a reader of a large store never waits long.
_USERS_PER_WRITE: Final = 2_000
_LOCK_TIMEOUT_S: Final = 30.0

_KEY: Final = "user_id"
_EVENT_TIME: Final = "event_timestamp"
_NOT_FEATURES: Final = (_KEY, _EVENT_TIME, "created")

# Differs every night, also for a user with nothing new.
_SNAPSHOT: Final = "as_of"


@dataclass(frozen=True, slots=True)
class _Users:
    """The features of some users: one column of cells for each name."""

    ids: list[str]
    names: list[str]
    columns: list[list[Cell]]


def write_view(view: str, addresses: FeatureStoreAddresses, event_time: int) -> str:
    """Write the rows of a feature table that have this event time; a repeat changes nothing.

    In SQLite, a value that is stored already is not written again, and its row keeps the earlier event time.
    In Redis, a user with nothing new gets only the new event time and `as_of`; what is stored with a later
    event time stays.

    Args:
        addresses: the tables of the online store exist since Feast registered its views.
        event_time: µs since the epoch.

    Returns:
        The last user that was written; "" for none.

    Raises:
        OSError, sqlite3.Error, redis.RedisError: the table or the store can't be read or written.
    """
    batches = _read(view, addresses.features, event_time)
    if is_file(addresses.online_store):
        return _write_sqlite(view, addresses.online_store, batches, event_time)
    return _write_redis(view, addresses.online_store, batches, event_time)


def _read(view: str, features: str, event_time: int) -> Iterator[_Users]:
    with open_binary(table_path(features, view)) as file, pq.ParquetFile(file) as table:
        names = [name for name in table.schema_arrow.names if name not in _NOT_FEATURES]
        for batch in table.iter_batches(_USERS_PER_WRITE, columns=[_KEY, _EVENT_TIME, *names]):
            rows = batch.filter(pc.equal(batch[_EVENT_TIME].cast(pa.int64()), event_time))
            if rows.num_rows:
                yield _Users(rows[_KEY].to_pylist(), names, [encode(rows[name]) for name in names])


def _write_sqlite(view: str, path: str, batches: Iterator[_Users], event_time: int) -> str:
    at, last = event_time // 1_000_000, ""  # Feast stores seconds
    statement = f"""INSERT INTO "{FEAST_PROJECT}_{view}"
        (entity_key, feature_name, value, value_text, event_ts, created_ts) VALUES (?, ?, ?, ?, {at}, {at})
        ON CONFLICT (entity_key, feature_name) DO UPDATE SET value = excluded.value,
        value_text = excluded.value_text, event_ts = excluded.event_ts, created_ts = excluded.created_ts
        WHERE value IS NOT excluded.value"""
    with closing(sqlite3.connect(path, _LOCK_TIMEOUT_S)) as connection:
        for users in batches:
            keys, last = [entity_key(user) for user in users.ids], users.ids[-1]
            with connection:
                connection.executemany(
                    statement,
                    (
                        (key, name, *column[row])
                        for row, key in enumerate(keys)
                        for name, column in zip(users.names, users.columns, strict=True)
                    ),
                )
    return last


def _write_redis(view: str, address: str, batches: Iterator[_Users], event_time: int) -> str:
    import redis

    last, store = "", _RedisHashes(view, event_time)
    with closing(redis.Redis.from_url(address)) as client:
        for users in batches:
            names: list[Any] = [entity_key(user) + FEAST_PROJECT.encode() for user in users.ids]
            with client.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.hmget(name, store.state_fields)
                states = pipeline.execute()
                rows = zip(names, states, zip(*users.columns, strict=True), strict=True)
                for name, state, cells in rows:
                    if fields := store.changed_fields(users.names, cells, *state):
                        pipeline.hset(name, mapping=fields)
                pipeline.execute()
            last = users.ids[-1]
    return last


class _RedisHashes:
    """The fields of a view in users' hashes: those of Feast, and a digest that shows what has changed.

    The digest belongs to an event time: if anybody else writes the view, all fields are written again.
    """

    def __init__(self, view: str, event_time: int) -> None:
        self._view, self._event_time = view, Timestamp()
        self._event_time.FromDatetime(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event_time))
        self._time = self._event_time.SerializeToString()
        self.state_fields = [f"_ts:{view}", f"_digest:{view}"]

    def changed_fields(
        self, names: list[str], cells: tuple[Cell, ...], time: bytes | None, digest: bytes | None
    ) -> dict[Any, Any]:
        """Return what to write to the hash of a user, of which `time` and `digest` are stored."""
        if time is not None and self._is_before(time):
            return {}
        values = {name: value for name, (value, _) in zip(names, cells, strict=True)}
        content = _digest(values)
        if time is not None and digest == time + content:
            values = {name: value for name, value in values.items() if name == _SNAPSHOT}
        state = dict(zip(self.state_fields, (self._time, self._time + content), strict=True))
        return state | {hash_field(self._view, name): value for name, value in values.items()}

    def _is_before(self, stored: bytes) -> bool:
        other = Timestamp.FromString(stored)
        return (self._event_time.seconds, self._event_time.nanos) < (other.seconds, other.nanos)


def _digest(values: dict[str, bytes]) -> bytes:
    """Return a digest of all features but the time of the snapshot."""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in values.items():
        if name != _SNAPSHOT:
            digest.update(b"%s\0%d\0" % (name.encode(), len(value)))
            digest.update(value)
    return digest.digest()
