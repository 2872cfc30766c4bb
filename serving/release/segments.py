"""What is trending among users who are alike in an attribute: for those of whom nothing else is known."""

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
    """Users whose text attribute is `value`, or whose number lies from `low` to below `high` (None: open)."""

    attribute: str
    interactions: float  # each halved per half-life of age, as in CollaborativeFilters.trend
    prior: float  # so many interactions of everybody's are added: a small segment follows the crowd
    value: str | None = None
    low: float | None = None
    high: float | None = None

    def holds(self, profile: Mapping[str, str | float]) -> bool:
        """Whether a user with this profile belongs to it."""
        given = profile.get(self.attribute)
        if self.value is not None:
            return given == self.value
        if not isinstance(given, int | float) or given != given:
            return False
        return (self.low is None or given >= self.low) and (self.high is None or given < self.high)


@dataclass(frozen=True)
class Segments:
    """A row of `trend` for each segment; only the strongest items of each are kept."""

    segments: list[Segment]
    trend: csr_array  # [segments, items]

    def shares(
        self, profile: Mapping[str, str | float], trend: FloatArray, items: NDArray[np.int32]
    ) -> FloatArray | None:
        """[m] how much of the interactions of those alike `items` [m] have, None where nobody is alike.

        The geometric mean over the user's segments, so that no attribute drowns the others. `trend`:
        [catalog] of everybody.
        """
        rows = [row for row, segment in enumerate(self.segments) if segment.holds(profile)]
        if not rows:
            return None
        everybody = (trend[items] + np.float32(0.5)) / (float(trend.sum()) + 0.5 * len(trend))
        logs = np.zeros(len(items), np.float32)
        for row in rows:
            segment, own = self.segments[row], self.trend[[row]].toarray()[0][items]
            logs += np.log(
                (own + np.float32(segment.prior) * everybody)
                / np.float32(segment.interactions + segment.prior)
            )
        shares: FloatArray = np.exp(logs / len(rows))
        return shares

    @classmethod
    def load(cls, directory: Path) -> "Segments":
        rows = json.loads((directory / FILE).read_text())
        return cls([Segment(**row) for row in rows], load_csr(directory))

    def save(self, directory: Path) -> None:
        save_csr(self.trend, directory)
        (directory / FILE).write_text(json.dumps([asdict(segment) for segment in self.segments]))
