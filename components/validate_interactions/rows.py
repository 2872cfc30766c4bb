"""Reads doubtful interactions as data frames, and splits all into valid and quarantined rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from great_expectations import ExpectationSuite
from numpy.typing import NDArray

from components.ingest_interactions.duckdb_session import connect, literal, quote
from components.validate_interactions.arrivals import PART, Arrivals
from components.validate_interactions.bots_and_duplicates import BOT_REASON
from components.validate_interactions.expectation_results import ExpectationResult
from components.validate_interactions.expectations import (
    IN_ITEMS,
    IN_USERS,
    ITEM_OR_WORDS,
    LEAD,
    OCCURRENCES,
)
from components.validate_interactions.sql_conditions import passes
from feature_repo.atomic_files import atomic_file
from feature_repo.event_types import SEARCH
from feature_repo.filesystems import without_wildcards
from feature_repo.table_schemas import INTERACTIONS

# A million rows of strings take about 0.5 GB as a data frame, so many rows are read in several frames.
FRAME_ROWS: Final = 200_000

# Bits besides those of the expectations.
BOT: Final = np.uint64(1 << 62)
DUPLICATE: Final = np.uint64(1 << 63)

QUARANTINE: Final = pa.schema(
    [*(field.with_nullable(True) for field in INTERACTIONS), pa.field("reasons", pa.list_(pa.string()))]
)

_DOUBTFUL: Final = f"""
    WITH repeated AS (
        SELECT interaction_id, count(*)::INTEGER AS occurrences FROM rows
        GROUP BY interaction_id HAVING count(*) > 1 AND interaction_id IS NOT NULL
    ),
    described AS (
        SELECT {", ".join(f"rows.{quote(name)}" for name in INTERACTIONS.names)}, file_row_number,
            coalesce(occurrences, 1) AS {quote(OCCURRENCES)},
            coalesce(item_id, CASE WHEN event_type = {literal(SEARCH)} THEN "query" END)
                AS {quote(ITEM_OR_WORDS)},
            coalesce(item_id IN (SELECT item_id FROM items), item_id IS NULL) AS {quote(IN_ITEMS)},
            coalesce(user_id IN (SELECT user_id FROM users), user_id IS NULL) AS {quote(IN_USERS)},
            (epoch_us("timestamp")::DOUBLE - coalesce(arrived_at, {{as_of}})) / 1e6 AS {quote(LEAD)}
        FROM rows LEFT JOIN repeated USING (interaction_id) LEFT JOIN arrivals ON {{part}} = number
    )
    FROM described WHERE file_row_number = 0 OR NOT ({{passes}}) ORDER BY file_row_number
"""


def read_doubtful(
    interactions: Path, items: Path, users: Path, arrivals: Arrivals, suite: ExpectationSuite
) -> Iterator[pd.DataFrame]:
    """Yield the first row, and all that may fail an expectation, in file order and with further columns.

    They are indexed by row number. ITEM_OR_WORDS is the item; of a search without an item its words.
    OCCURRENCES counts the rows with the same interaction id. IN_ITEMS and IN_USERS tell whether the id is in
    that table; they are true for a missing id, which another expectation reports. LEAD is how much later the
    timestamp is than the arrival, in seconds.
    """
    with connect() as connection:
        for name, file in (("rows", interactions), ("items", items), ("users", users)):
            table = connection.read_parquet(without_wildcards(file), file_row_number=name == "rows")
            table.create_view(name)
        connection.register("arrivals", arrivals.times)
        part = PART if PART in pq.read_schema(interactions).names else "0"
        query = _DOUBTFUL.format(part=part, as_of=arrivals.as_of, passes=passes(suite))
        for batch in connection.sql(query).to_arrow_reader(FRAME_ROWS):
            # One block of memory: otherwise each copy that Great Expectations makes joins the blocks.
            yield batch.to_pandas().set_index("file_row_number").rename_axis(None).copy()


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
