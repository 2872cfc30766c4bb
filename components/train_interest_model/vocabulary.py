"""How ids, values and times become the numbers that the model sees; saved beside its weights."""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# An event type never seen in training, a missing value, and the gap before a first interaction.
UNKNOWN: Final = 0

# Gaps are counted on a scale that doubles from one second to about four years, in microseconds.
GAP_EDGES: Final = np.array([1_000_000 << power for power in range(28)], np.int64)
VALUE_BUCKETS: Final = 16


@dataclass(frozen=True)
class Vocabulary:
    """Item ids in index order; event types and value edges, whose code 0 means unknown."""

    item_ids: list[str]
    event_types: list[str]
    value_edges: list[float]  # ascending; a value falls into bucket 1 + the number of edges at or below it

    @classmethod
    def build(cls, item_ids: list[str], event_types: pa.Array, values: NDArray[np.float32]) -> "Vocabulary":
        """From all item ids, and the training interactions' event types and values (NaN: none)."""
        known = values[~np.isnan(values)]
        distinct = np.unique(known)
        if len(distinct) > VALUE_BUCKETS:
            distinct = np.unique(np.quantile(known, np.linspace(0, 1, VALUE_BUCKETS + 1)[:-1]))
        kinds = sorted(set(pc.unique(event_types).to_pylist()) - {"", None})
        return cls(item_ids, kinds, [float(edge) for edge in distinct.astype(np.float32)])

    def grow(self, other: "Vocabulary") -> "Vocabulary":
        """This one's codes kept, with `other`'s items, and its further event types at the end."""
        further = [kind for kind in other.event_types if kind not in set(self.event_types)]
        return Vocabulary(other.item_ids, self.event_types + further, self.value_edges)

    def encode_events(self, event_types: pa.Array) -> NDArray[np.int32]:
        """[n] string -> [n] code, UNKNOWN for a new one."""
        return 1 + _places(event_types, self.event_types)

    def encode_items(self, item_ids: pa.Array) -> NDArray[np.int32]:
        """[n] string -> [n] index, -1 for an unknown item."""
        return _places(item_ids, self.item_ids)

    def encode_values(self, values: NDArray[np.float32]) -> NDArray[np.int32]:
        """[n] -> [n] bucket, UNKNOWN for NaN."""
        buckets = 1 + np.searchsorted(np.asarray(self.value_edges, np.float32), values, side="right")
        return np.where(np.isnan(values), UNKNOWN, buckets).astype(np.int32)

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each embedding table beside the items'."""
        return {
            "event": 1 + len(self.event_types),
            "value": 2 + len(self.value_edges),
            "gap": 2 + len(GAP_EDGES),
        }

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def encode_gaps(timestamps: NDArray[np.int64], previous: NDArray[np.int64]) -> NDArray[np.int32]:
    """Microseconds since the interaction before, as a bucket; UNKNOWN where `previous` is 0 (none)."""
    buckets = 1 + np.searchsorted(GAP_EDGES, timestamps - previous, side="right")
    return np.where(previous == 0, UNKNOWN, buckets).astype(np.int32)


def _places(keys: pa.Array, known: list[str]) -> NDArray[np.int32]:
    """Where each key stands among the known ones, -1 for another."""
    places = pc.index_in(keys, value_set=pa.array(known, keys.type))
    found: NDArray[np.int32] = pc.fill_null(places, -1).to_numpy(zero_copy_only=False)
    return found
