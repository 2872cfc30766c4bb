"""When the rows of a snapshot arrived, and which of them can stop the run."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.parts import LOG

PART: Final = "part"


@dataclass(frozen=True)
class Arrivals:
    """The arrival of each row of a snapshot.

    Rows of files and data sets are judged once, by the first snapshot that has them and passes. Recorded rows
    were checked by the service, and never stop a run: anyone can record.

    Args:
        parts: [rows] int64 numbers of the parts in the warehouse; 0 is unknown.
        times: [rows] int64, µs since the epoch.
        can_stop: [rows] bool, whether a failure of the row counts towards the stop of the run.
        sources: number of a part -> name of its source.
    """

    parts: NDArray[np.int64]
    times: NDArray[np.int64]
    can_stop: NDArray[np.bool_]
    sources: dict[int, str]

    @classmethod
    def read(cls, interactions: Path, warehouse: str, last_judged: int, as_of: int) -> "Arrivals":
        """Read the parts of the rows from the snapshot, and their times from the manifest.

        Args:
            last_judged: the highest number of a part in the last snapshot that passed.
            as_of: the time of the snapshot, µs; the arrival of rows of unknown parts.
        """
        listed = Warehouse(warehouse).listed("interactions")
        times = {part.number: part.ingested_at or as_of for part in listed}
        judged = [part.number for part in listed if part.source == LOG or part.number <= last_judged]
        parts = _read_parts(interactions)
        numbers, positions = np.unique(parts, return_inverse=True)
        arrivals = np.array([times.get(number, as_of) for number in numbers.tolist()], np.int64)
        sources = {part.number: part.source for part in listed}
        return cls(parts, arrivals[positions], ~np.isin(parts, judged), sources)

    def rows_by_source(self, chosen: NDArray[np.bool_]) -> list[tuple[str, int]]:
        """Return the known sources of the `chosen` [rows] and the number of their rows, most first."""
        numbers, counts = np.unique(self.parts[chosen], return_counts=True)
        rows: Counter[str] = Counter()
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            if number in self.sources:
                rows[self.sources[number]] += count
        return rows.most_common()

    def lead(self, start: int, timestamps: pa.Array) -> NDArray[np.float64]:
        """Return [rows] the seconds from arrival to timestamp, from row `start` on; NaN without one."""
        micros = timestamps.cast(pa.int64())
        arrivals = self.times[start : start + len(micros)]
        lead = (micros.fill_null(0).to_numpy(zero_copy_only=False) - arrivals) / 1_000_000
        return np.where(micros.is_null().to_numpy(zero_copy_only=False), np.nan, lead)


def _read_parts(interactions: Path) -> NDArray[np.int64]:
    """Return [rows] the column `part`; zeros if the snapshot has none."""
    if PART not in pq.read_schema(interactions).names:
        return np.zeros(pq.read_metadata(interactions).num_rows, np.int64)
    numbers: NDArray[np.int64] = pq.read_table(interactions, columns=[PART])[PART].to_numpy()
    return numbers
