"""Reads interactions as data frames, and splits them into valid and quarantined rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.ingest_interactions.duckdb_session import connect
from components.validate_interactions.arrivals import Arrivals
from components.validate_interactions.bots_and_duplicates import BOT_REASON
from components.validate_interactions.expectation_results import ExpectationResult
from components.validate_interactions.expectations import (
    IN_ITEMS,
    IN_USERS,
    ITEM_OR_WORDS,
    LEAD,
    OCCURRENCES,
)
from feature_repo.atomic_files import atomic_file
from feature_repo.event_types import SEARCH
from feature_repo.filesystems import without_wildcards
from feature_repo.table_schemas import INTERACTIONS

# A million rows of strings take about 0.5 GB as a data frame, so a large snapshot is read in several frames.
FRAME_ROWS: Final = 200_000

# Bits besides those of the expectations.
BOT: Final = np.uint64(1 << 62)
DUPLICATE: Final = np.uint64(1 << 63)

QUARANTINE: Final = pa.schema(
    [*(field.with_nullable(True) for field in INTERACTIONS), pa.field("reasons", pa.list_(pa.string()))]
)


def read_frames(interactions: Path, items: Path, users: Path, arrivals: Arrivals) -> Iterator[pd.DataFrame]:
    """Yield the rows in file order, indexed by row number, with further columns.

    ITEM_OR_WORDS is the item; of a search without an item its words.
    OCCURRENCES counts the rows with the same interaction id. IN_ITEMS and IN_USERS tell whether the id is in
    that table; they are true for a missing id, which another expectation reports. LEAD is how much later the
    timestamp is than the arrival, in seconds.
    """
    repeated = _repeated_ids(interactions)
    tables = {
        IN_ITEMS: ("item_id", pq.read_table(items, columns=["item_id"])["item_id"].combine_chunks()),
        IN_USERS: ("user_id", pq.read_table(users, columns=["user_id"])["user_id"].combine_chunks()),
    }
    start = 0
    for batch in pq.ParquetFile(interactions).iter_batches(FRAME_ROWS, columns=INTERACTIONS.names):
        frame = batch.to_pandas()
        frame.index = pd.RangeIndex(start, start + len(frame))
        position = pc.index_in(batch["interaction_id"], repeated["interaction_id"])
        frame[OCCURRENCES] = repeated["occurrences"].take(position).fill_null(1).to_numpy(False)
        is_search = pc.equal(batch["event_type"], SEARCH)
        words = pc.if_else(is_search, batch["query"], pa.scalar(None, pa.string()))
        frame[ITEM_OR_WORDS] = pc.coalesce(batch["item_id"], words).to_numpy(zero_copy_only=False)
        for name, (column, ids) in tables.items():
            is_in_table = pc.or_(pc.is_in(batch[column], ids), batch[column].is_null())
            frame[name] = is_in_table.to_numpy(zero_copy_only=False)
        frame[LEAD] = arrivals.lead(start, batch["timestamp"])
        start += len(frame)
        # One block of memory: otherwise each copy that Great Expectations makes joins the blocks.
        yield frame.copy()


def split_rows(
    interactions: Path,
    failures: NDArray[np.uint64],
    results: list[ExpectationResult],
    valid: Path,
    quarantine: Path,
) -> None:
    """Write rows without failures to `valid` and failed rows to `quarantine`; drop duplicates.

    Args:
        failures: [rows] bit n for the expectation `results[n]`, BOT and DUPLICATE.
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
            failed = (bits & ~DUPLICATE) != 0
            columns = batch.filter(pa.array(failed)).columns
            reasons = [_reasons(mask, results) for mask in bits[failed].tolist()]
            bad.write_batch(pa.record_batch([*columns, pa.array(reasons, pa.list_(pa.string()))], QUARANTINE))
            start += len(batch)


def _reasons(mask: int, results: list[ExpectationResult]) -> list[str]:
    """Return what is wrong with a row, one text for each bit."""
    reasons = [f"{result.column}: {result.problem}" for bit, result in enumerate(results) if mask & 1 << bit]
    return reasons + ([BOT_REASON] if mask & int(BOT) else [])


def _repeated_ids(interactions: Path) -> pa.RecordBatch:
    with connect() as connection:
        rows = connection.read_parquet(without_wildcards(interactions)).aggregate(
            "interaction_id, count(*)::INTEGER AS occurrences"
        )
        table: pa.Table = rows.filter("occurrences > 1 AND interaction_id IS NOT NULL").to_arrow_table()
    return table.combine_chunks()
