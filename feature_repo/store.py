"""Opens Feast: DuckDB over Parquet offline, SQLite or Redis online, registry in a file or a SQL database."""

import json
import random
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import feast
from feast.repo_config import RepoConfig
from sqlalchemy.exc import IntegrityError

from feature_repo.contract import ENTITY_KEY_VERSION, FEAST_PROJECT
from feature_repo.feature_views import feast_objects
from feature_repo.store_addresses import FILE_URLS, FeatureStoreAddresses, is_file, without_password

# Rows converted and written at once while materializing: limits the memory and the size of a transaction.
_ROWS_PER_WRITE: Final = 2_000

_APPLY_ATTEMPTS: Final = 5

_REGISTRY_STORE: Final = "feature_repo.feast_registry_file.AtomicFileRegistryStore"


def open_store(addresses: FeatureStoreAddresses) -> Any:
    """Return a feast.FeatureStore, after registering the feature tables in its registry.

    Raises:
        FileNotFoundError: a feature table is missing.
        ValueError: the online store's address is neither a file path nor a redis:// URL.
    """
    store, objects = connect_store(addresses), feast_objects(addresses.features)
    for attempt in range(_APPLY_ATTEMPTS):
        try:
            store.apply(objects)
            break
        except IntegrityError:
            # Feast selects, then inserts: when two steps apply the same objects at once, one insert fails.
            if attempt == _APPLY_ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0.1, 1.0))
            store.refresh_registry()
    return store


def connect_store(addresses: FeatureStoreAddresses) -> Any:
    """Return a feast.FeatureStore without registering anything; raises ValueError as open_store does."""
    return feast.FeatureStore(
        config=RepoConfig(
            project=FEAST_PROJECT,
            provider="local",
            registry=_registry(addresses.registry),
            offline_store="duckdb",  # given by name, so that Feast imports it at first use
            online_store=_online_store(addresses.online_store),
            entity_key_serialization_version=ENTITY_KEY_VERSION,
            materialization={"online_write_batch_size": _ROWS_PER_WRITE},
        )
    )


def _registry(address: str) -> dict[str, str]:
    if is_file(address):
        path = _with_folder(address)
        return {"registry_type": "file", "registry_store_type": _REGISTRY_STORE, "path": path}
    if address.startswith(FILE_URLS):
        return {"registry_type": "file", "path": address}
    return {"registry_type": "sql", "path": address}


def _online_store(address: str) -> dict[str, str]:
    if is_file(address):
        return {"type": "sqlite", "path": _with_folder(address)}
    url = urlsplit(address)
    if url.scheme not in ("redis", "rediss") or not url.hostname:
        raise ValueError(
            f"online_store={without_password(address)!r}: "
            "expected a SQLite file path or redis://[[user]:password@]host:port[/db]"
        )
    options = {
        "db": int(url.path.strip("/") or 0),
        "ssl": url.scheme == "rediss",
        "username": unquote(url.username or ""),
        "password": unquote(url.password or ""),
    }
    # Feast parses each value as JSON and passes it to redis.Redis.
    arguments = [f"{name}={json.dumps(value)}" for name, value in options.items() if value]
    return {
        "type": "redis",
        "connection_string": ",".join([f"{url.hostname}:{url.port or 6379}", *arguments]),
    }


def _with_folder(file: str) -> str:
    path = Path(file).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)
