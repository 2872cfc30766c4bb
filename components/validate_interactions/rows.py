"""Interactions as frames that Great Expectations reads, and the ways that rows go after it did."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.validate_interactions.bots_and_duplicates import BOT_REASON
from components.validate_interactions.findings import Finding
from feature_repo.atomic_files import atomic_file
from feature_repo.contract import INTERACTIONS

# A frame of strings takes about 0.5 GB a million rows, so a snapshot of any size is read in pieces.
FRAME_ROWS: Final = 500_000

BOT: Final = np.uint64(1 << 62)
REPEAT: Final = np.uint64(1 << 63)

QUARANTINE: Final = pa.schema(
    [*(field.with_nullable(True) for field in INTERACTIONS), pa.field("reasons", pa.list_(pa.string()))]
)


def frames(interactions: Path, items: Path, users: Path) -> Iterator[pd.DataFrame]:
    """The rows in their order, indexed by row number, with what no row can tell alone.

    `interaction_id copies`: how many rows carry that id; `item_id known`, `user_id known`: whether it stands
    in that table (true for a missing id, which is a fault of its own).
    """
    repeated = _repeated_ids(interactions)
    known = {
        "item_id": pq.read_table(items, columns=["item_id"])["item_id"].combine_chunks(),
        "user_id": pq.read_table(users, columns=["user_id"])["user_id"].combine_chunks(),
    }
    start = 0
    for batch in pq.ParquetFile(interactions).iter_batches(FRAME_ROWS, columns=INTERACTIONS.names):
        frame = batch.to_pandas()
        frame.index = pd.RangeIndex(start, start + len(frame))
        position = pc.index_in(batch["interaction_id"], repeated["interaction_id"])
        frame["interaction_id copies"] = repeated["copies"].take(position).fill_null(1).to_numpy(False)
        for column, values in known.items():
            is_known = pc.or_(pc.is_in(batch[column], values), batch[column].is_null())
            frame[f"{column} known"] = is_known.to_numpy(zero_copy_only=False)
        start += len(frame)
        yield frame


def part(
    interactions: Path, failures: NDArray[np.uint64], findings: list[Finding], valid: Path, quarantine: Path
) -> None:
    """Write what failed nothing to `valid`, what failed to `quarantine` with its reasons, repeats to neither.

    Args:
        failures: [rows] bit n for `findings[n]`, BOT and REPEAT.
    """
    start = 0
    with (
        atomic_file(valid) as staged_valid,
        atomic_file(quarantine) as staged_quarantine,
        pq.ParquetWriter(staged_valid, INTERACTIONS) as good,
        pq.ParquetWriter(staged_quarantine, QUARANTINE) as bad,
    ):
        for batch in pq.ParquetFile(interactions).iter_batches(FRAME_ROWS, columns=INTERACTIONS.names):
            bits = failures[start : start + len(batch)]
            good.write_batch(batch.filter(pa.array(bits == 0)).cast(INTERACTIONS))
            failed = (bits & ~REPEAT) != 0
            columns = batch.filter(pa.array(failed)).columns
            reasons = [reasons_of(mask, findings) for mask in bits[failed].tolist()]
            bad.write_batch(pa.record_batch([*columns, pa.array(reasons, pa.list_(pa.string()))], QUARANTINE))
            start += len(batch)


def reasons_of(mask: int, findings: list[Finding]) -> list[str]:
    """In words what a row failed."""
    words = [f"{f.column}: {f.reason}" for bit, f in enumerate(findings) if mask & 1 << bit]
    return words + ([BOT_REASON] if mask & int(BOT) else [])


def _repeated_ids(interactions: Path) -> pa.RecordBatch:
    with duckdb.connect() as connection:
        rows = connection.read_parquet(str(interactions)).aggregate(
            "interaction_id, count(*)::INTEGER AS copies"
        )
        table: pa.Table = rows.filter("copies > 1 AND interaction_id IS NOT NULL").to_arrow_table()
    return table.combine_chunks()
