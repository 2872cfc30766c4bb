"""Every Feast object: entities, feature views, and the feature services of training and serving.

Event times of the tables:
user_history         the cutoff: the history holds the interactions strictly before it
user_interest_state  when the state was computed, so that the state of the newest release is the newest row
all others           the moment of the snapshot, so that no earlier training row joins them
"""

from datetime import timedelta
from typing import Any

import feast
import pyarrow as pa
import pyarrow.parquet as pq
from feast.types import Array, Float32, Float64, Int64, String

from feature_repo.contract import HISTORY_LISTS, USER_HISTORY, USER_INTEREST_STATE, USER_PROFILE
from feature_repo.filesystems import open_binary, without_wildcards
from feature_repo.store_addresses import is_file, table_path
from feature_repo.table_schemas import INTEREST_STATES

TRAINING = "training"
SERVING = "serving"

_TIMES = ("event_timestamp", "created")

# A row matches its own cutoff only: a cutoff without a row gets null, not an older history. Without a ttl,
# Feast's join would also read all older histories.
_EXACT_MATCH = timedelta(microseconds=1)


def feast_objects(features: str) -> list[Any]:
    """Return the entities, feature views and feature services over the tables at `features`.

    Args:
        features: a directory or an fsspec URL.

    Raises:
        FileNotFoundError: a table is missing.
    """
    user = feast.Entity(name="user", join_keys=["user_id"], value_type=feast.ValueType.STRING)
    history = _view(
        features, USER_HISTORY, user, ttl=_EXACT_MATCH, description="last interactions, oldest first"
    )
    profile = _view(features, USER_PROFILE, user, description="imported attributes and activity")
    state = _view(
        features,
        USER_INTEREST_STATE,
        user,
        schema=INTEREST_STATES,
        description="interest and encoder state under a release",
    )
    training = feast.FeatureService(name=TRAINING, features=[history[list(HISTORY_LISTS)]])
    serving = feast.FeatureService(name=SERVING, features=[history, profile, state])
    return [user, history, profile, state, training, serving]


def _view(
    features: str,
    name: str,
    entity: Any,
    description: str,
    ttl: timedelta | None = None,
    schema: pa.Schema | None = None,
) -> Any:
    path = table_path(features, name)
    source = feast.FileSource(
        name=f"{name}_table",
        path=without_wildcards(path) if is_file(path) else path,
        timestamp_field=_TIMES[0],
        created_timestamp_column=_TIMES[1],
    )
    return feast.FeatureView(
        name=name,
        entities=[entity],
        schema=_fields(schema or _read_schema(path)),
        source=source,
        ttl=ttl,
        description=description,
    )


def _read_schema(path: str) -> pa.Schema:
    """Read the schema from the file: user and item tables have columns that the contract does not list."""
    with open_binary(path) as file:
        return pq.read_schema(file)


def _fields(schema: pa.Schema) -> list[Any]:
    return [
        feast.Field(name=column.name, dtype=_dtype(column.type))
        for column in schema
        if column.name not in _TIMES
    ]


def _dtype(arrow: pa.DataType) -> Any:
    if pa.types.is_list(arrow):
        return Array(_dtype(arrow.value_type))
    return {pa.string(): String, pa.int64(): Int64, pa.float32(): Float32, pa.float64(): Float64}[arrow]
