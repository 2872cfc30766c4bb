"""Computes the interest and the encoder state of each user with a history, in batches."""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.errors import StepError
from components.interest_batches import Compute
from components.materialize_features.past_snapshots import keep_states
from components.progress import report
from components.saved_model import SavedInterestModel
from components.user_attributes import UserAttributes
from feature_repo.atomic_files import atomic_upload
from feature_repo.contract import (
    HISTORY_LISTS,
    INTEREST_MODEL,
    MANIFEST,
    RANKING,
    USER_HISTORY,
    USER_INTEREST_STATE,
    fingerprint,
)
from feature_repo.counts import counted
from feature_repo.filesystems import locate, open_binary
from feature_repo.histories import History
from feature_repo.interest_state import InterestBatch
from feature_repo.store_addresses import table_path
from feature_repo.table_schemas import INTEREST_STATES, TIMESTAMP
from serving.release.release_store import ReleaseStore

# Histories read at once, to limit memory.
ROWS_PER_BATCH = 5_000


def compute_live_interest_states(releases: str, features: str) -> int | None:
    """Call `compute_interest_states` for the live release, if it has the current contract.

    Returns:
        The event time in µs; None when no release is live, or when the live one has another contract.
    """
    store = ReleaseStore(releases)
    version = store.live()
    if version is None:
        return None
    with store.filesystem.open(f"{store.path(RANKING, version)}/{MANIFEST}", "rb") as file:
        if json.load(file)["fingerprint"] != fingerprint():
            report(f"interests skipped: the live version {version} was built with another contract")
            return None
    return compute_interest_states(version, releases, features)


def compute_interest_states(version: int, releases: str, features: str) -> int:
    """Call `write_interest_states` with the published model of a release, loaded into this process."""
    with tempfile.TemporaryDirectory() as folder:
        directory = ReleaseStore(releases, Path(folder)).local(INTEREST_MODEL, version)
        with SavedInterestModel(directory) as model:
            return write_interest_states(version, features, model.interests)


def write_interest_states(version: int, features: str, compute: Compute) -> int:
    """Write the interest states of all users under one release to `features`; return their event time in µs.

    Args:
        compute: runs the interest model of the release.

    Raises:
        StepError: there are no histories, or the release has no usable interest model.
    """
    started, event_time, users, snapshots = time.monotonic(), time.time_ns() // 1000, 0, set[int]()
    attributes = UserAttributes.read(features)
    filesystem, target = locate(table_path(features, USER_INTEREST_STATE))
    schema = pa.schema([*INTEREST_STATES, ("event_timestamp", TIMESTAMP), ("created", TIMESTAMP)])
    with (
        atomic_upload(filesystem, target) as file,
        pq.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for rows in _newest_histories(features):
            interests = compute(_histories(rows), attributes.lookup(rows["user_id"]))
            states = _states(rows, interests, version, event_time)
            writer.write_table(states.cast(schema))
            users += states.num_rows
            snapshots.update(pc.unique(rows["as_of"]).to_pylist())
    for snapshot in snapshots:
        keep_states(features, snapshot, version)
    seconds = time.monotonic() - started
    report(f"computed the interests of {counted(users, 'user')} with version {version} in {seconds:.1f} s")
    return event_time


def _newest_histories(features: str) -> Iterator[pa.Table]:
    """Yield batches with the newest history of each user that is not empty."""
    location = table_path(features, USER_HISTORY)
    try:
        file = open_binary(location)
    except FileNotFoundError as error:
        raise StepError(f"interests: no histories at {location}; run the training pipeline first") from error
    with file, pq.ParquetFile(file) as histories:
        for batch in histories.iter_batches(ROWS_PER_BATCH):
            rows = pa.Table.from_batches([batch])
            newest = pc.equal(rows["event_timestamp"].cast(pa.int64()), rows["as_of"])
            filled = pc.greater(pc.list_value_length(rows["item_ids"]), 0)
            if (rows := rows.filter(pc.and_(newest, filled))).num_rows:
                yield rows


def _histories(rows: pa.Table) -> list[History]:
    columns = (rows[name].to_pylist() for name in HISTORY_LISTS)
    return [History(*lists) for lists in zip(*columns, strict=True)]


def _states(rows: pa.Table, interests: InterestBatch, version: int, event_time: int) -> pa.Table:
    count = rows.num_rows
    times = pa.array(np.full(count, event_time), pa.int64()).cast(TIMESTAMP)
    return pa.table(
        {
            "user_id": rows["user_id"],
            "release": np.full(count, version),
            "snapshot": rows["as_of"],
            "as_of": interests.as_of,
            "state": _lists(interests.state),
            "interest": _lists(interests.interest),
            "event_timestamp": times,
            "created": times,
        }
    )


def _lists(matrix: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> pa.Array:
    rows, width = matrix.shape
    return pa.ListArray.from_arrays(np.arange(rows + 1, dtype=np.int32) * width, matrix.ravel())
