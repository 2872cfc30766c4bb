"""Values of users are deleted from Redis, many users in one round trip."""

from pathlib import Path

import pytest
import redis

from components.erase_user import online_rows
from feature_repo.contract import FEAST_PROJECT
from serving.online_store.readers import entity_key
from tests.serving.online_store.test_online_features import free_port, redis_server


def test_all_values_of_the_users_are_deleted_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online_rows, "_KEYS", 2)
    keys = [entity_key(user) + FEAST_PROJECT.encode() for user in ("ann", "ben", "cem", "dan")]
    with redis_server(tmp_path, free_port()) as address, redis.Redis.from_url(address) as client:
        for key in keys:
            client.hset(key, mapping={"history": "1", "profile": "2"})
        assert online_rows.erase_all(address, ["ann", "ben", "cem", "eve"]) == 6
        assert client.keys() == keys[3:]
        assert online_rows.erase(address, "dan") == 2
        assert online_rows.erase_all(address, []) == 0
