"""Trends among users who share an attribute, for users without a history."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from serving.release.arrays import FloatArray
from serving.release.sparse import load_csr, save_csr

FILE: Final = "segments.json"


@dataclass(frozen=True, slots=True)
class Segment:
    """Users whose attribute equals `value`, or is a number in [`low`, `high`); None means no bound."""

    attribute: str
    interactions: float  # weighted by age as in CollaborativeFilters.trend
    prior: float  # pseudo-count: this many interactions of all users are added, for small segments
    value: str | None = None
    low: float | None = None
    high: float | None = None

    def contains(self, profile: Mapping[str, str | float]) -> bool:
        """Return whether a user with this profile belongs to the segment."""
        attribute = profile.get(self.attribute)
        if self.value is not None:
            return attribute == self.value
        if not isinstance(attribute, int | float) or attribute != attribute:
            return False
        return (self.low is None or attribute >= self.low) and (self.high is None or attribute < self.high)


@dataclass(frozen=True)
class Segments:
    """The segments, and the trend of each; only the top items of a segment have an entry."""

    segments: list[Segment]
    trend: csr_array  # [segments, items]

    def shares(
        self, profile: Mapping[str, str | float], trend: FloatArray, items: NDArray[np.int32]
    ) -> FloatArray | None:
        """Return each item's share [m] of the interactions of the user's segments; None without a segment.

        The geometric mean over the user's segments, so that no attribute dominates the others.

        Args:
            trend: [catalog] trend among all users.
            items: [m]
        """
        rows = [row for row, segment in enumerate(self.segments) if segment.contains(profile)]
        if not rows:
            return None
        overall = (trend[items] + np.float32(0.5)) / (float(trend.sum()) + 0.5 * len(trend))
        logs = np.zeros(len(items), np.float32)
        for row in rows:
            segment, counts = self.segments[row], self.trend[[row]].toarray()[0][items]
            logs += np.log(
                (counts + np.float32(segment.prior) * overall)
                / np.float32(segment.interactions + segment.prior)
            )
        shares: FloatArray = np.exp(logs / len(rows))
        return shares

    @classmethod
    def load(cls, directory: Path) -> "Segments":
        """Open segments that `save` wrote."""
        rows = json.loads((directory / FILE).read_text())
        return cls([Segment(**row) for row in rows], load_csr(directory))

    def save(self, directory: Path) -> None:
        """Write the segments and their trends into `directory`."""
        save_csr(self.trend, directory)
        (directory / FILE).write_text(json.dumps([asdict(segment) for segment in self.segments]))
