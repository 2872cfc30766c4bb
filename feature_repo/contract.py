"""What training and serving must never differ on: columns, dtypes, history length, signatures, file names."""

import hashlib
import json
from typing import Final

import pyarrow as pa

# A user's history as a feature: the last MAX_HISTORY interactions, oldest first.
MAX_HISTORY: Final = 200

# Of the items that a user chose before those, as many are known to have been seen, the ones chosen last.
MAX_SEEN_BEFORE: Final = 2_000

# Stands for "no interaction" in every string sequence; skipped inside the SavedModel.
PAD: Final = ""

# The event type of what a user was shown: counted, never a part of a history.
IMPRESSION: Final = "impression"

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")

INTERACTIONS: Final = pa.schema(
    [
        pa.field("interaction_id", pa.string(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("event_type", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("timestamp", TIMESTAMP, nullable=False),
        pa.field("domain", pa.string()),
    ]
)

# Further text columns, and columns of float lists (embeddings made elsewhere), may follow.
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

# Any categorical or numeric attribute may follow.
USERS: Final = pa.schema([pa.field("user_id", pa.string(), nullable=False)])

# One row a user and cutoff: what is trained on, validated and tested.
SPINE: Final = pa.schema(
    [
        pa.field("user_id", pa.string()),
        pa.field("cutoff", TIMESTAMP),
        pa.field("split", pa.string()),
        pa.field("target_item_id", pa.string()),  # null but for validation and test
    ]
)

# The spine with each history; lists oldest first, timestamps in µs since the epoch, all before the cutoff.
TRAINING_SET: Final = pa.schema(
    [
        *SPINE,
        pa.field("interaction_ids", pa.list_(pa.string())),
        pa.field("item_ids", pa.list_(pa.string())),
        pa.field("event_types", pa.list_(pa.string())),
        pa.field("values", pa.list_(pa.float32())),
        pa.field("timestamps", pa.list_(pa.int64())),
        pa.field("attributes", pa.list_(pa.string())),  # of the user, as attributes.Attributes holds them
        pa.field("attribute_values", pa.list_(pa.float32())),
    ]
)

# Feast's project, the version of its entity keys, and the views that serving reads from its online store.
FEAST_PROJECT: Final = "penchant"
ENTITY_KEY_VERSION: Final = 3
USER_HISTORY: Final = "user_history"
USER_PROFILE: Final = "user_profile"
USER_INTEREST_STATE: Final = "user_interest_state"

# The lists of a histories.History, as user_history holds them.
HISTORY_LISTS: Final = ("interaction_ids", "item_ids", "event_types", "values", "timestamps")

# Of user_profile: items chosen before the history's window.
SEEN_BEFORE: Final = "seen_before"

# The sequence inputs of every signature, each [batch, length]; timestamps are microseconds since the epoch.
SEQUENCE_INPUTS: Final = {
    "item_ids": "string",
    "event_types": "string",
    "values": "float32",
    "timestamps": "int64",
}

# What is known of each user beside the history, each [batch, attributes]: where the history starts from.
ATTRIBUTE_INPUTS: Final = {"attributes": "string", "attribute_values": "float32"}

# Signature -> its inputs and outputs. `state` and `as_of` let a recurrent encoder be advanced, not replayed:
# as_of is [batch, 1], the timestamp of the last interaction inside the state.
SIGNATURES: Final = {
    "serving_default": {
        "inputs": {**SEQUENCE_INPUTS, **ATTRIBUTE_INPUTS},
        "outputs": {"interest": "float32", "state": "float32", "as_of": "int64"},
    },
    "advance": {
        "inputs": {"state": "float32", "as_of": "int64", **SEQUENCE_INPUTS},
        "outputs": {"interest": "float32", "state": "float32", "as_of": "int64"},
    },
    "top_items": {
        "inputs": {**SEQUENCE_INPUTS, **ATTRIBUTE_INPUTS},
        "outputs": {"item_ids": "string", "scores": "float32"},
    },
}

# All that an answer asks of `serving_default` and `advance`.
INTEREST: Final = "interest"

# The name under which TensorFlow Serving holds the interest model, and its folder in a release store.
INTEREST_MODEL: Final = "interest"
RANKING: Final = "ranking"
MANIFEST: Final = "manifest.json"
LIVE: Final = "live.json"

# Raise this when the layout of a release file changes: older releases are then refused instead of misread.
RELEASE_FORMAT: Final = 2


def fingerprint() -> str:
    """Sixteen hex digits that change whenever the contract does; a release carries its own."""
    contract = {
        "release_format": RELEASE_FORMAT,
        "max_history": MAX_HISTORY,
        "pad": PAD,
        "interactions": _columns(INTERACTIONS),
        "items": _columns(ITEMS),
        "users": _columns(USERS),
        "signatures": SIGNATURES,
    }
    return hashlib.sha256(json.dumps(contract, sort_keys=True).encode()).hexdigest()[:16]


def _columns(schema: pa.Schema) -> list[tuple[str, str]]:
    return [(field.name, str(field.type)) for field in schema]
