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
        parts: [rows] int32 numbers of the parts in the warehouse; 0 is unknown.
        times: the columns `number` of a part and `arrived_at`, int64, µs since the epoch.
        as_of: the time of the snapshot, µs: the arrival of rows of unknown parts.
        can_stop: [rows] bool, whether a failure of the row counts towards the stop of the run.
        sources: number of a part -> name of its source.
    """

    parts: NDArray[np.int32]
    times: pa.Table
    as_of: int
    can_stop: NDArray[np.bool_]
    sources: dict[int, str]

    @classmethod
    def read(cls, interactions: Path, warehouse: str, last_judged: int, as_of: int) -> "Arrivals":
        """Read the parts of the rows from the snapshot, and their times from the manifest.

        Args:
            last_judged: the highest number of a part in the last snapshot that passed.
            as_of: the time of the snapshot, µs.
        """
        listed = Warehouse(warehouse).listed("interactions")
        times = pa.table(
            {
                "number": pa.array([part.number for part in listed], pa.int64()),
                "arrived_at": pa.array([part.ingested_at or as_of for part in listed], pa.int64()),
            }
        )
        judged = [part.number for part in listed if part.source == LOG or part.number <= last_judged]
        parts, sources = _read_parts(interactions), {part.number: part.source for part in listed}
        return cls(parts, times, as_of, ~np.isin(parts, judged), sources)

    def rows_by_source(self, chosen: NDArray[np.bool_]) -> list[tuple[str, int]]:
        """Return the known sources of the `chosen` [rows] and the number of their rows, most first."""
        numbers, counts = np.unique(self.parts[chosen], return_counts=True)
        rows: Counter[str] = Counter()
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            if number in self.sources:
                rows[self.sources[number]] += count
        return rows.most_common()


def _read_parts(interactions: Path) -> NDArray[np.int32]:
    """Return [rows] the column `part`; zeros if the snapshot has none."""
    file, start = pq.ParquetFile(interactions), 0
    parts = np.zeros(file.metadata.num_rows, np.int32)
    if PART in file.schema_arrow.names:
        for batch in file.iter_batches(columns=[PART]):
            parts[start : start + len(batch)] = batch[PART].to_numpy()
            start += len(batch)
    return parts
