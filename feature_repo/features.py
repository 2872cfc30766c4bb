"""Every Feast object: the features, where they stand, and which of them training and serving take.

All tables stand at one features location. The build_features step writes them, but for user_interest_state:
that needs a release, and is written as a release goes live and as the snapshot is renewed. Event times:
user_history         the cutoff of the history, which holds what came strictly before it
user_interest_state  when a release worked it out, so that the last release to do so holds
everything else      the snapshot's moment, so that no training row before it may see it
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.contract import HISTORY_LISTS, USER_HISTORY, USER_INTEREST_STATE, USER_PROFILE
from feature_repo.feast_sdk import feast

ITEM_STATISTICS = "item_statistics"
ITEM_CONTENT = "item_content"

TRAINING = "training"
SERVING = "serving"

# A user's interest under one release, and the state that the interactions since are added to.
INTEREST_STATE = pa.schema(
    [
        ("user_id", pa.string()),
        ("release", pa.int64()),
        ("snapshot", pa.int64()),  # as_of of the history that it was worked out from, µs
        ("as_of", pa.int64()),  # the last interaction inside the state, µs
        ("state", pa.list_(pa.float32())),
        ("interest", pa.list_(pa.float32())),
    ]
)

_TIMES = ("event_timestamp", "created")

# A history is that of its cutoff alone: a moment without a row of its own gets nothing, never a stale one. It
# also keeps Feast's join from carrying all older histories along.
_EXACT = timedelta(microseconds=1)


def feast_objects(features: str) -> list[Any]:
    """Entities, views and services over the tables at a features location (a directory or an fsspec URL).

    Raises:
        FileNotFoundError: a table is missing there.
    """
    user = feast.Entity(name="user", join_keys=["user_id"], value_type=feast.ValueType.STRING)
    item = feast.Entity(name="item", join_keys=["item_id"], value_type=feast.ValueType.STRING)
    history = _view(features, USER_HISTORY, user, ttl=_EXACT, about="the last interactions, oldest first")
    profile = _view(features, USER_PROFILE, user, about="given attributes and activity")
    statistics = _view(
        features, ITEM_STATISTICS, item, about="counts and mean value in time windows", online=False
    )
    content = _view(features, ITEM_CONTENT, item, about="categories, text, embeddings", online=False)
    state = _view(
        features,
        USER_INTEREST_STATE,
        user,
        schema=INTEREST_STATE,
        about="interest and encoder state, by release",
    )
    training = feast.FeatureService(name=TRAINING, features=[history[list(HISTORY_LISTS)]])
    serving = feast.FeatureService(name=SERVING, features=[history, profile, state])
    return [user, item, history, profile, state, statistics, content, training, serving]


def table(features: str, name: str) -> str:
    """Where a table stands at a features location."""
    return f"{features if '://' in features else Path(features).absolute()}/{name}.parquet"


def _view(
    features: str,
    name: str,
    entity: Any,
    about: str,
    online: bool = True,
    ttl: timedelta | None = None,
    schema: pa.Schema | None = None,
) -> Any:
    path = table(features, name)
    source = feast.FileSource(
        name=f"{name}_table", path=path, timestamp_field=_TIMES[0], created_timestamp_column=_TIMES[1]
    )
    return feast.FeatureView(
        name=name,
        entities=[entity],
        schema=_fields(schema or _read_schema(path)),
        source=source,
        ttl=ttl,
        online=online,
        description=about,
    )


def _read_schema(path: str) -> pa.Schema:
    """Users and items bring attributes of their own, so the file is the schema."""
    with fsspec.open(path, "rb") as file:
        return pq.read_schema(file)


def _fields(schema: pa.Schema) -> list[Any]:
    return [
        feast.Field(name=column.name, dtype=_dtype(column.type))
        for column in schema
        if column.name not in _TIMES
    ]


def _dtype(arrow: pa.DataType) -> Any:
    from feast.types import Array, Float32, Float64, Int64, String

    if pa.types.is_list(arrow):
        return Array(_dtype(arrow.value_type))
    return {pa.string(): String, pa.int64(): Int64, pa.float32(): Float32, pa.float64(): Float64}[arrow]
