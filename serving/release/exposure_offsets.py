"""What a release adds to the scores of each provider's items under a scenario that balances exposure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from serving.release.arrays import FloatArray
from serving.release.catalog import values


@dataclass(frozen=True)
class ExposureOffsets:
    """Offsets in log odds by provider, as the evaluation fitted them; an entry of blend.json.

    Args:
        column: column of the items that names their provider.
        by_provider: the providers with an offset of their own.
        others: of all other providers.
        without: of items without a provider.
        bound: share of the exposure that may be with other providers than relevance is.
    """

    column: str
    by_provider: dict[str, float]
    others: float
    without: float
    bound: float

    def to_json(self) -> dict[str, Any]:
        """Return the entry of blend.json."""
        return asdict(self)

    @classmethod
    def of(cls, blend: Mapping[str, Any]) -> Self | None:
        """Return the offsets of a blend.json; None if it has none."""
        entry = blend.get("exposure_offsets")
        return cls(**entry) if entry else None

    def of_items(self, items: pa.Table) -> FloatArray:
        """Return the offset of each item of a catalog [items] float32."""
        names = values(items.column(self.column).cast(pa.string()))
        offsets = (self.by_provider.get(name, self.others) if name else self.without for name in names)
        return np.fromiter(offsets, np.float32, len(items))
