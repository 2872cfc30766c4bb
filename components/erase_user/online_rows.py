"""Erases users from Feast's online store."""

import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

from components.errors import StepError
from feature_repo.contract import FEAST_PROJECT
from feature_repo.store_addresses import is_file
from serving.online_store.readers import entity_key

_TRUNCATE_S: Final = 10.0
_KEYS: Final = 1_000  # of a round trip to Redis


def erase(online_store: str, user_id: str) -> int:
    """Delete the user's values, and the bytes of earlier ones; returns the number of values.

    Raises:
        StepError: readers keep the write-ahead log of a SQLite file in use.

    Args:
        online_store: a SQLite file or a redis:// URL, as in FeatureStoreAddresses.
    """
    if not is_file(online_store):
        return _from_redis(online_store, [user_id])
    return _from_sqlite(online_store, "WHERE entity_key = ?", (entity_key(user_id),))


def erase_all(online_store: str, user_ids: Iterable[str]) -> int:
    """Delete the values of these users, in a SQLite file those of all users; as erase."""
    if not is_file(online_store):
        return _from_redis(online_store, user_ids)
    return _from_sqlite(online_store, "", ())


def _from_sqlite(file: str, condition: str, parameters: tuple[bytes, ...]) -> int:
    if not Path(file).exists():
        return 0
    with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        deleted = 0
        connection.execute("PRAGMA secure_delete = ON")
        for (table,) in names:
            columns = [column[1] for column in connection.execute(f'PRAGMA table_info("{table}")')]
            if "entity_key" in columns:
                deleted += connection.execute(f'DELETE FROM "{table}" {condition}', parameters).rowcount
        connection.execute("VACUUM")
        _truncate_wal(connection, file)
    return deleted


def _truncate_wal(connection: sqlite3.Connection, file: str) -> None:
    """Empty the write-ahead log: it has the bytes of deleted values. Readers delay that for milliseconds."""
    deadline = time.monotonic() + _TRUNCATE_S
    while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() > deadline:
            raise StepError(
                f"the online store {file} is in use: its write-ahead log can't be emptied; repeat this"
            )
        time.sleep(0.01)


def _from_redis(address: str, user_ids: Iterable[str]) -> int:
    import redis

    keys = [entity_key(user_id) + FEAST_PROJECT.encode() for user_id in user_ids]
    values = 0
    with redis.Redis.from_url(address) as client:
        for start in range(0, len(keys), _KEYS):
            with client.pipeline(transaction=False) as pipeline:
                for key in keys[start : start + _KEYS]:
                    pipeline.hlen(key)
                pipeline.delete(*keys[start : start + _KEYS])
                values += sum(pipeline.execute()[:-1])
    return values
