"""Reads what was shown in a time window, and what users did, from the interaction log into Parquet files."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from components.errors import StepError
from components.ingest_interactions.duckdb_session import connect, file_list, literal, quote
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.parts import LOG
from components.ingest_interactions.warehouse.recorded_interactions import log_exists, recorded_row
from feature_repo.atomic_files import atomic_file
from feature_repo.table_schemas import INTERACTIONS, TIMESTAMP
from serving.errors import Unavailable
from serving.exposures.exposure import Exposure
from serving.exposures.exposure_store import ExposureStore
from serving.ranking.candidate_set import SOURCES
from serving.user_data.interaction_log import InteractionLog

# One row for an answer; the lists have one element for each place, best first.
EXPOSURES: Final = pa.schema(
    [
        ("request_id", pa.string()),
        ("user_id", pa.string()),  # "" for an anonymous visitor
        ("timestamp", TIMESTAMP),
        ("release", pa.int64()),
        ("scenario", pa.string()),
        ("basis", pa.string()),
        ("degraded", pa.list_(pa.string())),
        ("candidates", pa.string()),
        ("item_ids", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float32())),
        ("sources", pa.list_(pa.list_(pa.string()))),
        ("propensities", pa.list_(pa.float64())),
        ("latency_us", pa.int64()),
        ("experiment", pa.string()),  # "" for none
        ("arm", pa.string()),
        ("credits", pa.list_(pa.float32())),  # as in serving.exposures.exposure
    ]
)
TIME: Final = "timestamp"
EVENTS: Final = INTERACTIONS.append(pa.field("request_id", pa.string()))


@dataclass(frozen=True)
class RecordedWindow:
    """Files of a window: EXPOSURES, and EVENTS, the interactions recorded from its start on."""

    exposures: Path
    events: Path
    answers: int


class NothingShown(ValueError):
    """No answer was recorded in a window; the message says what to do."""


def read_window(url: str, store: Warehouse, start: int, end: int, until: int, folder: Path) -> RecordedWindow:
    """Write what was shown from `start` until before `end`, and what was recorded from `start` until `until`.

    Args:
        url: of the interaction log.
        store: has the recorded interactions that runs have ingested, in case they are deleted in the log.
        start, end, until: µs since the epoch.
        folder: where exposures.parquet and events.parquet are written.

    Raises:
        NothingShown: nothing was shown in the window.
        ValueError: the URL is invalid.
        StepError: the log can't be read.
    """
    check_exists(url)
    exposures, log = ExposureStore(url), InteractionLog(url)
    files = folder / "exposures.parquet", folder / "events.parquet"
    try:
        answers = _write(files[0], EXPOSURES, (map(exposure_row, b) for b in exposures.between(start, end)))
        if not answers:
            raise NothingShown(
                f"no answer was recorded from {_time(start)} to {_time(end)}: choose another window "
                "(--days), or check PENCHANT_EXPOSURE_SHARE and PENCHANT_EXPOSURE_DAYS of the recommender"
            )
        _write(files[1], EVENTS, (map(recorded_row, b) for b in log.recorded_between(start, until)))
    except Unavailable as error:
        raise StepError(f"what was shown can't be read: {error}") from error
    finally:
        exposures.close()
        log.close()
    _add_ingested(files[1], store, start, until)
    return RecordedWindow(*files, answers)


def check_exists(url: str) -> None:
    """Raise ValueError if the interaction log `url` is a SQLite file that does not exist."""
    if not log_exists(url):
        database = sa.make_url(url).database
        raise ValueError(
            f"there is no interaction log {database} yet: start a recommender (`penchant serve`)"
        )


def exposure_row(exposure: Exposure) -> dict[str, Any]:
    """Return a row of EXPOSURES."""
    return {
        "request_id": exposure.request_id,
        "user_id": exposure.user_id,
        "timestamp": exposure.timestamp,
        "release": exposure.release_version,
        "scenario": exposure.scenario,
        "basis": exposure.basis,
        "degraded": exposure.degraded.split(",") if exposure.degraded else [],
        "candidates": exposure.candidates,
        "item_ids": exposure.item_ids,
        "scores": exposure.scores,
        "sources": [
            [source for bit, source in enumerate(SOURCES) if bits >> bit & 1] for bits in exposure.sources
        ],
        "propensities": exposure.propensities,
        "latency_us": exposure.latency_us,
        "experiment": exposure.experiment,
        "arm": exposure.arm,
        "credits": exposure.credits,
    }


def _add_ingested(file: Path, store: Warehouse, start: int, until: int) -> None:
    """Add recorded interactions that runs have ingested and that the log does not have any more."""
    ingested = store.parts("interactions", LOG)
    if ingested is None:
        return
    columns = ", ".join(quote(name) for name in INTERACTIONS.names if name != TIME)
    recorded = f"read_parquet({file_list([file])})"
    with atomic_file(file) as staged, connect(store.filesystem) as connection:
        connection.execute(
            f"""COPY (
                FROM {recorded} UNION ALL BY NAME
                SELECT {columns}, make_timestamptz({TIME}) AS {TIME}, request_id FROM (
                    FROM {ingested} UNION ALL BY NAME (SELECT NULL::VARCHAR AS request_id LIMIT 0)
                ) AS ingested ANTI JOIN {recorded} AS recorded USING (interaction_id)
                WHERE {TIME} >= {start} AND {TIME} < {until}
            ) TO {literal(str(staged))} (FORMAT parquet, COMPRESSION zstd)"""
        )


def _write(file: Path, schema: pa.Schema, batches: Iterable[Iterable[dict[str, Any]]]) -> int:
    rows = 0
    with atomic_file(file) as staged, pq.ParquetWriter(staged, schema) as writer:
        for batch in batches:
            table = pa.Table.from_pylist(list(batch), schema=schema)
            writer.write_table(table)
            rows += len(table)
    return rows


def _time(microseconds: int) -> str:
    return f"{pa.scalar(microseconds, TIMESTAMP).as_py():%Y-%m-%d %H:%M} UTC"
