"""Collects everything that a home holds about a user."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq

from components.ingest_interactions.duckdb_session import connect, literal
from components.ingest_interactions.warehouse.manifest import Warehouse
from feature_repo.filesystems import locate
from pipelines.privacy.stored_user import stored_id
from pipelines.settings import Settings
from serving.exposures.exposure_store import ExposureStore
from serving.user_data.interaction_log import InteractionLog
from serving.user_data.preference_store import PreferenceStore

_USES = {
    "recorded_interactions": "the next answers follow them, and the next run learns from them",
    "ingested_interactions": "features and models are computed from them",
    "attributes": "inputs of the models, and recommendations before there is a history",
    "features": "answers are computed from them",
    "preferences": "whether the answers are personalized",
    "shown": "which answers were given, to measure and to repeat them, and to show nothing too often",
}


def export_user(settings: Settings, user_id: str) -> dict[str, Any]:
    """Return the name of each kind of data -> its use and its rows; times are ISO 8601.

    Raises:
        ValueError, StepError, Unavailable: as of stored_id.
    """
    stored = stored_id(settings, user_id)
    rows = {
        "recorded_interactions": list(_recorded(settings, stored)),
        "ingested_interactions": _ingested(settings, "interactions", stored),
        "attributes": _ingested(settings, "users", stored),
        "features": list(_features(settings, stored)),
        "preferences": _preferences(settings, stored),
        "shown": _shown(settings, stored),
    }
    return {
        "user_id": user_id,
        "stored_as": stored,
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": {name: {"used_for": _USES[name], "rows": _plain(values)} for name, values in rows.items()},
    }


def _recorded(settings: Settings, user_id: str) -> Iterator[dict[str, Any]]:
    log = InteractionLog(settings.interaction_log)
    try:
        for interaction in log.of_user(user_id):
            yield asdict(interaction) | {"timestamp": _time(interaction.timestamp)}
    finally:
        log.close()


def _ingested(settings: Settings, table: str, user_id: str) -> list[dict[str, Any]]:
    store = Warehouse(settings.warehouse)
    if (scan := store.parts(table)) is None:
        return []
    names = {part.number: part.source for part in store.listed(table)}
    with connect(store.filesystem) as connection:
        query = f"SELECT * FROM {scan} WHERE user_id = {literal(user_id)} ORDER BY part, source_row"
        rows: list[dict[str, Any]] = connection.sql(query).to_arrow_table().to_pylist()
    for row in rows:
        row["source"] = names[row.pop("part")]
        del row["source_row"]
        if row.get("timestamp") is not None:
            row["timestamp"] = _time(row["timestamp"])
    return rows


def _features(settings: Settings, user_id: str) -> Iterator[dict[str, Any]]:
    filesystem, root = locate(settings.features)
    if not filesystem.exists(root):
        return
    for path in sorted(filesystem.find(root)):
        if path.endswith(".parquet"):
            with filesystem.open(path, "rb") as file:
                if "user_id" in pq.read_schema(file).names:
                    for row in pq.read_table(file, filters=[("user_id", "=", user_id)]).to_pylist():
                        yield {"table": path.removeprefix(f"{root}/"), **row}


def _shown(settings: Settings, user_id: str) -> list[dict[str, Any]]:
    store = ExposureStore(settings.interaction_log)
    try:
        rows = [asdict(exposure) for exposure in store.of_user(user_id)]
    finally:
        store.close()
    return [row | {"timestamp": _time(row["timestamp"])} for row in rows]


def _preferences(settings: Settings, user_id: str) -> list[dict[str, Any]]:
    store = PreferenceStore(settings.interaction_log)
    try:
        preference = store.of_user(user_id)
    finally:
        store.close()
    return [asdict(preference) | {"changed_at": _time(preference.changed_at)}] if preference else []


def _time(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat()


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value
