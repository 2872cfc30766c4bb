"""How ids, values and times become the numbers that the model sees; saved beside its weights."""

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
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

# Places in a window are told apart on a scale that doubles: the first, the second, 3 and 4, 5 to 8, …
POSITION_EDGES: Final = np.array([1 << power for power in range(8)], np.int64)

# A text attribute counts from so many users on: below, it names them rather than tells of them.
ATTRIBUTE_USERS: Final = 5
ATTRIBUTE_BUCKETS: Final = 8
MOST_ATTRIBUTES: Final = 10_000


@dataclass(frozen=True)
class Vocabulary:
    """Item ids in index order; event types, value edges and attributes, whose code 0 means unknown."""

    item_ids: list[str]
    event_types: list[str]
    value_edges: list[float]  # ascending; a value falls into bucket 1 + the number of edges at or below it
    # "column=text", and "column<0", "column<1", … for the buckets of a number.
    attributes: list[str] = field(default_factory=list)
    attribute_edges: dict[str, list[float]] = field(default_factory=dict)  # of each number, ascending

    @classmethod
    def build(cls, item_ids: list[str], event_types: pa.Array, values: NDArray[np.float32]) -> "Vocabulary":
        """From all item ids, and the training interactions' event types and values (NaN: none)."""
        known = values[~np.isnan(values)]
        distinct = np.unique(known)
        if len(distinct) > VALUE_BUCKETS:
            distinct = np.unique(np.quantile(known, np.linspace(0, 1, VALUE_BUCKETS + 1)[:-1]))
        kinds = sorted(set(pc.unique(event_types).to_pylist()) - {"", None})
        return cls(item_ids, kinds, [float(edge) for edge in distinct.astype(np.float32)])

    def with_attributes(self, names: pa.Array, values: NDArray[np.float32]) -> "Vocabulary":
        """Those of the training users' attributes, [n] each, that enough of them have."""
        numeric = ~np.isnan(values)
        texts = Counter(names.filter(pa.array(~numeric)).to_pylist())
        tokens = sorted(
            name for name, count in texts.most_common(MOST_ATTRIBUTES) if count >= ATTRIBUTE_USERS
        )
        edges = {}
        for name in sorted(set(names.filter(pa.array(numeric)).to_pylist())):
            own = values[numeric & pc.equal(names, name).to_numpy(zero_copy_only=False)]
            cuts = np.unique(np.quantile(own, np.linspace(0, 1, ATTRIBUTE_BUCKETS + 1)[1:-1]))
            edges[name] = [float(cut) for cut in cuts.astype(np.float32)]
            tokens += [f"{name}<{bucket}" for bucket in range(len(cuts) + 1)]
        return replace(self, attributes=tokens, attribute_edges=edges)

    def grow(self, other: "Vocabulary") -> "Vocabulary":
        """This one's codes kept, with `other`'s items, and what else it knows at the end."""
        edges = {**other.attribute_edges, **self.attribute_edges}
        foreign = {f"{name}<{bucket}" for name in self.attribute_edges for bucket in range(ATTRIBUTE_BUCKETS)}
        return Vocabulary(
            other.item_ids,
            _further(self.event_types, other.event_types),
            self.value_edges,
            _further(self.attributes, [name for name in other.attributes if name not in foreign]),
            edges,
        )

    def encode_attributes(self, names: pa.Array, values: NDArray[np.float32]) -> NDArray[np.int32]:
        """[n] names and values as feature_repo.attributes holds them -> [n] code, UNKNOWN for a new one."""
        codes = 1 + _places(names, self.attributes)
        for name, edges in self.attribute_edges.items():
            own = pc.equal(names, name).to_numpy(zero_copy_only=False)
            buckets = np.searchsorted(np.asarray(edges, np.float32), values[own], side="right")
            codes[own] = self.first_bucket(name) + buckets
        return codes

    def first_bucket(self, name: str) -> int:
        """The code of a number's lowest bucket; the others follow it."""
        return 1 + self.attributes.index(f"{name}<0")

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
            "position": 1 + len(POSITION_EDGES),
            "attribute": 1 + len(self.attributes),
        }

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def encode_gaps(timestamps: NDArray[np.int64], previous: NDArray[np.int64]) -> NDArray[np.int32]:
    """Microseconds since the interaction before, as a bucket; UNKNOWN where `previous` is 0 (none)."""
    buckets = 1 + np.searchsorted(GAP_EDGES, timestamps - previous, side="right")
    return np.where(previous == 0, UNKNOWN, buckets).astype(np.int32)


def encode_positions(places: NDArray[np.int64]) -> NDArray[np.int32]:
    """Interactions before each one in its window, as a bucket."""
    return np.searchsorted(POSITION_EDGES, places, side="right").astype(np.int32)


def _further(known: list[str], others: list[str]) -> list[str]:
    """The known ones, and the others that are new at their end."""
    return list(dict.fromkeys([*known, *others]))


def _places(keys: pa.Array, known: list[str]) -> NDArray[np.int32]:
    """Where each key stands among the known ones, -1 for another."""
    places = pc.index_in(keys, value_set=pa.array(known, keys.type))
    found: NDArray[np.int32] = pc.fill_null(places, -1).to_numpy(zero_copy_only=False)
    return found
