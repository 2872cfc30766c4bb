"""The columns of each table: names, dtypes and nullability."""

from typing import Final

import pyarrow as pa

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")

INTERACTIONS: Final = pa.schema(
    [
        pa.field("interaction_id", pa.string(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("item_id", pa.string()),  # null in a search by words
        pa.field("event_type", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("timestamp", TIMESTAMP, nullable=False),
        pa.field("domain", pa.string()),
        pa.field("query", pa.string()),  # the words of a search without an item, else null
    ]
)

# More text columns, and columns of float lists (imported embeddings), may follow.
ITEMS: Final = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("title", pa.string()),
        pa.field("categories", pa.list_(pa.string())),
        pa.field("domain", pa.string()),
        pa.field("available_from", TIMESTAMP),
        pa.field("available_until", TIMESTAMP),
    ]
)

# Categorical and numeric attributes may follow.
USERS: Final = pa.schema([pa.field("user_id", pa.string(), nullable=False)])

# One row for each user and cutoff (Feast: entity dataframe).
SPINE: Final = pa.schema(
    [
        pa.field("user_id", pa.string()),
        pa.field("cutoff", TIMESTAMP),
        pa.field("split", pa.string()),
        pa.field("target_item_id", pa.string()),  # set in validation and test rows only
    ]
)

# The spine joined with histories: oldest first, timestamps in µs since the epoch, all before the cutoff.
TRAINING_SET: Final = pa.schema(
    [
        *SPINE,
        pa.field("interaction_ids", pa.list_(pa.string())),
        pa.field("item_ids", pa.list_(pa.string())),
        pa.field("event_types", pa.list_(pa.string())),
        pa.field("values", pa.list_(pa.float32())),
        pa.field("timestamps", pa.list_(pa.int64())),
        pa.field("attributes", pa.list_(pa.string())),  # the fields of attributes.Attributes
        pa.field("attribute_values", pa.list_(pa.float32())),
    ]
)

# The columns of user_interest_state: a user's interest under one release, and the encoder's state.
INTEREST_STATES: Final = pa.schema(
    [
        pa.field("user_id", pa.string()),
        pa.field("release", pa.int64()),
        pa.field("snapshot", pa.int64()),  # as_of of the history that the state was computed from, µs
        pa.field("as_of", pa.int64()),  # timestamp of the last interaction in the state, µs
        pa.field("state", pa.list_(pa.float32())),
        pa.field("interest", pa.list_(pa.float32())),
    ]
)
