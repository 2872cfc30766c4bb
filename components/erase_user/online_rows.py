"""Erases a user from Feast's online store."""

import sqlite3
from contextlib import closing
from pathlib import Path

from feature_repo.contract import FEAST_PROJECT
from feature_repo.store_addresses import is_file
from serving.online_store.readers import entity_key


def erase(online_store: str, user_id: str) -> int:
    """Delete the user's values, and the bytes of earlier ones; returns the number of values.

    Args:
        online_store: a SQLite file or a redis:// URL, as in FeatureStoreAddresses.
    """
    if not is_file(online_store):
        return _from_redis(online_store, user_id)
    if not Path(online_store).exists():
        return 0
    with closing(sqlite3.connect(online_store, isolation_level=None, timeout=30)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        deleted = 0
        connection.execute("PRAGMA secure_delete = ON")
        for (table,) in names:
            columns = [column[1] for column in connection.execute(f'PRAGMA table_info("{table}")')]
            if "entity_key" in columns:
                query = f'DELETE FROM "{table}" WHERE entity_key = ?'
                deleted += connection.execute(query, (entity_key(user_id),)).rowcount
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return deleted


def _from_redis(address: str, user_id: str) -> int:
    import redis

    key = entity_key(user_id) + FEAST_PROJECT.encode()
    with redis.Redis.from_url(address) as client:
        values = client.hlen(key)
        client.delete(key)
    return int(values)
