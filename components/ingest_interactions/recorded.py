"""What the recommender recorded: the interaction log, read from shortly before it was last read."""

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import sqlalchemy as sa
from duckdb import DuckDBPyConnection

from components.errors import StepError
from feature_repo.interaction import Interaction
from serving.errors import Unavailable
from serving.user_data.interaction_log import InteractionLog

# An interaction that waited for a lock, or came from a replica whose clock lags, shows up later than its
# recorded_at says: what was recorded in the ten minutes before the last read is read again, joined by id.
OVERLAP_US: Final = 600_000_000

RECORDED: Final = pa.schema(
    [
        ("interaction_id", pa.string()),
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("event_type", pa.string()),
        ("value", pa.float64()),
        ("timestamp", pa.int64()),
        ("domain", pa.string()),
    ]
)


def name(url: str) -> str:
    """The log's URL as a watermark may keep it: without its password.

    Raises:
        StepError: it is no URL.
    """
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except sa.exc.ArgumentError as error:
        raise StepError(
            "the interaction log's URL can't be read; expected sqlite:///FILE or postgresql://USER@HOST/DATABASE"
        ) from error


def load(connection: DuckDBPyConnection, url: str, since: int) -> bool:
    """Fill the table `recorded` with what came after `since` (µs), overlap included; False when nothing did.

    A log that does not exist yet holds nothing.

    Raises:
        StepError: it can't be read.
    """
    database = sa.make_url(url).database
    if url.startswith("sqlite") and not Path(database or "").exists():
        return False
    try:
        log = InteractionLog(url)
    except ValueError as error:
        raise StepError(str(error)) from error
    try:
        batches = log.export(max(0, since - OVERLAP_US))
        first = next(batches, None)
        if first is None:
            return False
        reader = pa.RecordBatchReader.from_batches(
            RECORDED, _record_batches(itertools.chain([first], batches))
        )
        connection.register("stream", reader)
        connection.execute("CREATE OR REPLACE TEMP TABLE recorded AS SELECT * FROM stream")
    except Unavailable as error:
        raise StepError(f"the interaction log can't be ingested: {error}") from error
    finally:
        log.close()
    return True


def _record_batches(batches: Iterator[list[Interaction]]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        rows = [
            {
                "interaction_id": interaction.interaction_id,
                "user_id": interaction.user_id,
                "item_id": interaction.item_id,
                "event_type": interaction.event_type,
                "value": None if math.isnan(interaction.value) else interaction.value,
                "timestamp": interaction.timestamp,
                "domain": interaction.domain or None,
            }
            for interaction in batch
        ]
        yield pa.RecordBatch.from_pylist(rows, schema=RECORDED)
