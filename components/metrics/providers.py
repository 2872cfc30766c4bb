"""The provider of each item: a seller, publisher or artist, as a column of the items says."""

from collections import Counter
from collections.abc import Sequence
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
NO_PROVIDER: Final = "(no provider)"


@dataclass(frozen=True, eq=False)
class Providers:
    """The providers of a catalog's items.

    `names` has `named` providers, the one with the most items first. A name for all other providers and one
    for the items without a provider follow, where there are any.
    """

    column: str
    names: list[str]
    named: int
    of_item: NDArray[np.int64]  # [items] position in `names`

    @classmethod
    def read(cls, items: Path, column: str) -> "Providers":
        """Read a column of the items, as `check_column` allows it."""
        check_column(items, column)
        texts = pq.read_table(items, columns=[column])[column].cast(pa.string())
        return cls.of(column, texts.to_pylist())

    @classmethod
    def of(cls, column: str, values: Sequence[str | None]) -> "Providers":
        """Build from the provider of each item; None or "" for an item without one."""
        counts = Counter(value for value in values if value)
        ordered = sorted(counts, key=lambda name: (-counts[name], name))
        named = ordered if len(ordered) <= MAX_PROVIDERS + 1 else ordered[:MAX_PROVIDERS]
        others = [f"{len(ordered) - len(named)} others"] if len(named) < len(ordered) else []
        without = [NO_PROVIDER] if counts.total() < len(values) else []
        position = {name: at for at, name in enumerate(named)}
        last = len(named) + len(others)
        of_item = np.array([position.get(value, len(named)) if value else last for value in values], np.int64)
        return cls(column, [*named, *others, *without], len(named), of_item)


def check_column(items: Path, column: str) -> None:
    """Check that a column of the items can name their provider.

    Raises:
        StepError: there is no such column, or it has neither text nor integers.
    """
    usable = [
        field.name
        for field in pq.read_schema(items)
        if field.name != "item_id" and (pa.types.is_string(field.type) or pa.types.is_integer(field.type))
    ]
    if column not in usable:
        raise StepError(
            f"the items have no column {column!r} of text or integers that could name their provider: set "
            f"PENCHANT_PROVIDER_COLUMN to one of {', '.join(usable)}, or to nothing"
        )
