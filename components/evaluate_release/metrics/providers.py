"""The provider of each item: a seller, publisher or artist, as a column of the items says."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.errors import StepError

# The providers with the most items have a row each, all others share one.
MAX_PROVIDERS: Final = 20
NONE: Final = "none"


@dataclass(frozen=True, eq=False)
class Providers:
    """The providers of a catalog's items."""

    column: str
    names: list[str]
    of_item: NDArray[np.int64]  # [items] position in `names`

    @classmethod
    def read(cls, items: Path, column: str) -> "Providers":
        """Read a text column of the items.

        Raises:
            StepError: there is no such column, or it is no text.
        """
        schema = pq.read_schema(items)
        texts = [field.name for field in schema if pa.types.is_string(field.type) and field.name != "item_id"]
        if column not in texts:
            raise StepError(
                f"the items have no text column {column!r} that could name their provider: set "
                f"PENCHANT_PROVIDER_COLUMN to one of {', '.join(texts)}, or to nothing"
            )
        values = [value or NONE for value in pq.read_table(items, columns=[column])[column].to_pylist()]
        return cls.of(column, values)

    @classmethod
    def of(cls, column: str, values: list[str]) -> "Providers":
        """Build from the provider of each item."""
        counts = Counter(values)
        ordered = sorted(counts, key=lambda name: (-counts[name], name))
        named = ordered if len(ordered) <= MAX_PROVIDERS + 1 else ordered[:MAX_PROVIDERS]
        names = [*named, *([f"{len(ordered) - len(named)} others"] if len(named) < len(ordered) else [])]
        position = {name: at for at, name in enumerate(named)}
        of_item = np.array([position.get(value, len(named)) for value in values], np.int64)
        return cls(column, names, of_item)
