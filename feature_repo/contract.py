"""The contract between training and serving: history length, Feast names, signatures, file names."""

import hashlib
import json
from typing import TYPE_CHECKING, Final

from feature_repo.event_types import KNOWN, OPINIONS

if TYPE_CHECKING:
    import pyarrow as pa

# A user's history as a feature: the last MAX_HISTORY interactions, oldest first.
MAX_HISTORY: Final = 200

# Items of interactions older than the history that still count as seen; the most recent ones are kept.
MAX_SEEN_BEFORE: Final = 2_000

# Items of interactions older than the history that the user dislikes; those disliked last are kept.
MAX_DISLIKED_BEFORE: Final = 1_000

# A user's newest searches by words that count, and the longest text of one, in characters.
MAX_SEARCHES: Final = 10
MAX_QUERY_LENGTH: Final = 256

# Padding of every string sequence; skipped inside the SavedModel.
PAD: Final = ""

# Feast's project, the version of its entity keys, and the feature views in its online store.
FEAST_PROJECT: Final = "penchant"
ENTITY_KEY_VERSION: Final = 3
USER_HISTORY: Final = "user_history"
USER_PROFILE: Final = "user_profile"
USER_INTEREST_STATE: Final = "user_interest_state"

# The list features of user_history; the fields of histories.History.
HISTORY_LISTS: Final = ("interaction_ids", "item_ids", "event_types", "values", "timestamps")

# List features of user_profile: items of interactions older than the history, those of them that the user
# dislikes, and the last searches by words.
SEEN_BEFORE: Final = "seen_before"
DISLIKED_BEFORE: Final = "disliked_before"
SEARCHES: Final = "searches"
SEARCH_TIMES: Final = "search_times"

# The sequence inputs of every signature, each [batch, length]; timestamps in µs since the epoch.
SEQUENCE_INPUTS: Final = {
    "item_ids": "string",
    "event_types": "string",
    "values": "float32",
    "timestamps": "int64",
}

# User attributes, each [batch, attributes]: they set the initial state of the encoder.
ATTRIBUTE_INPUTS: Final = {"attributes": "string", "attribute_values": "float32"}

# Signature -> its inputs and outputs. `advance` continues from `state` instead of replaying the history;
# `as_of` [batch, 1] is the timestamp of the last interaction in the state.
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

# The output of `serving_default` and `advance` that ranking uses.
INTEREST: Final = "interest"

# A further output of both: the interests at the next steps [batch, FORECAST_STEPS, interest size] float32;
# the first is `interest`. Not in SIGNATURES: older releases, which lack it, are served all the same.
FORECAST: Final = "forecast"
FORECAST_STEPS: Final = 5

# Folders and files of a release store; the folder of the interest model is its name in TensorFlow Serving.
INTEREST_MODEL: Final = "interest"
RANKING: Final = "ranking"
MANIFEST: Final = "manifest.json"
LIVE: Final = "live.json"

# The feedback policy in a ranking directory.
FEEDBACK: Final = "feedback.json"

# Raise this when the layout of a release file changes: older releases are then refused instead of misread.
RELEASE_FORMAT: Final = 4


def fingerprint() -> str:
    """Return 16 hex digits that change with the contract; each release stores the value it was built with."""
    # Imported here, because a rollback needs file names alone, and pyarrow takes a third of its time.
    from feature_repo.table_schemas import INTERACTIONS, ITEMS, USERS

    contract = {
        "release_format": RELEASE_FORMAT,
        "max_history": MAX_HISTORY,
        "pad": PAD,
        "interactions": _columns(INTERACTIONS),
        "items": _columns(ITEMS),
        "users": _columns(USERS),
        "signatures": SIGNATURES,
        "event_types": KNOWN,
        "opinions": sorted(OPINIONS),
    }
    return hashlib.sha256(json.dumps(contract, sort_keys=True).encode()).hexdigest()[:16]


def _columns(schema: "pa.Schema") -> list[tuple[str, str]]:
    return [(field.name, str(field.type)) for field in schema]
