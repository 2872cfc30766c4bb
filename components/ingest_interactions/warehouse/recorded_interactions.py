"""Reads the interactions that the recommender recorded since the last run from the interaction log."""

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from duckdb import DuckDBPyConnection

from components.errors import StepError
from feature_repo.erased_users import ErasedUsers
from feature_repo.interaction import Interaction
from feature_repo.pseudonyms import WrongPseudonymKey
from serving.errors import Unavailable
from serving.user_data.erasure_store import ErasureStore
from serving.user_data.interaction_log import InteractionLog

RECORDED: Final = pa.schema(
    [
        ("interaction_id", pa.string()),
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("event_type", pa.string()),
        ("value", pa.float64()),
        ("timestamp", pa.int64()),
        ("domain", pa.string()),
        ("query", pa.string()),
        ("request_id", pa.string()),
    ]
)


def name(url: str) -> str:
    """Return the log's URL without the password, as the key of its watermark.

    Raises:
        StepError: the URL is invalid.
    """
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except sa.exc.ArgumentError as error:
        raise StepError(
            "the URL of the interaction log is invalid; expected sqlite:///FILE or postgresql://USER@HOST/DATABASE"
        ) from error


def log_exists(url: str) -> bool:
    """Return whether there is a log: a SQLite file appears with the first recommender."""
    return not url.startswith("sqlite") or Path(sa.make_url(url).database or "").exists()


def erased_users(url: str) -> ErasedUsers:
    """Return the users whom recommenders and `penchant forget` have erased.

    Raises:
        StepError: the log can't be read.
    """
    name(url)  # raises StepError for what is no URL
    if not log_exists(url):
        return ErasedUsers()
    try:
        store = ErasureStore(url)
    except ValueError as error:
        raise StepError(str(error)) from error
    try:
        return store.erased()
    except Unavailable as error:
        raise StepError(f"recorded interactions can't be read: {error}") from error
    finally:
        store.close()


def load(connection: DuckDBPyConnection, url: str, last_as_of: int, as_of: int, key_check: str = "") -> bool:
    """Create the table `recorded` with what was recorded since the last run, and mark this run in the log.

    A log without a mark of the last run, because it was replaced or is of an earlier version, is read as a
    whole.

    Args:
        last_as_of, as_of: times of the snapshots of the last run and of this one, µs since the epoch.
        key_check: the check value of the pseudonym key; "" without one.

    Returns:
        False when there is none, or no log yet.

    Raises:
        StepError: the log can't be read, or its user ids were made with another key, or without one.
    """
    if not log_exists(url):
        return False
    try:
        log = InteractionLog(url, key_check=key_check)
    except ValueError as error:
        raise StepError(str(error)) from error
    try:
        batches = log.export(log.position(last_as_of) or 0, log.mark(as_of))
        first = next(batches, None)
        if first is None:
            return False
        reader = pa.RecordBatchReader.from_batches(
            RECORDED, _record_batches(itertools.chain([first], batches))
        )
        connection.register("stream", reader)
        connection.execute("CREATE OR REPLACE TEMP TABLE recorded AS SELECT * FROM stream")
    except WrongPseudonymKey as error:
        raise StepError(str(error)) from error
    except Unavailable as error:
        raise StepError(f"recorded interactions can't be read: {error}") from error
    finally:
        log.close()
    return True


def recorded_row(interaction: Interaction) -> dict[str, Any]:
    """Return a row of RECORDED; what is not known is None."""
    return {
        "interaction_id": interaction.interaction_id,
        "user_id": interaction.user_id,
        "item_id": interaction.item_id or None,
        "event_type": interaction.event_type,
        "value": None if math.isnan(interaction.value) else interaction.value,
        "timestamp": interaction.timestamp,
        "domain": interaction.domain or None,
        "query": interaction.query or None,
        "request_id": interaction.request_id or None,
    }


def _record_batches(batches: Iterator[list[Interaction]]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield pa.RecordBatch.from_pylist([recorded_row(each) for each in batch], schema=RECORDED)
