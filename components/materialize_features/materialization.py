"""The newest history, profile and interest of every user, from the offline to the online store."""

import io
import sqlite3
from contextlib import closing, redirect_stdout
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.errors import StepError
from components.materialize_features.interest_states import work_out, work_out_live
from components.progress import report
from feature_repo.addresses import FeatureStoreAddresses, is_file
from feature_repo.contract import USER_HISTORY, USER_INTEREST_STATE, USER_PROFILE
from feature_repo.store import open_store
from serving.online_store.online import OnlineFeatures


def materialize(addresses: FeatureStoreAddresses, as_of: int, releases: str = "") -> None:
    """Write the snapshot of `as_of` (µs since the epoch) into the online store; a repeat changes nothing.

    Every user's newest history and profile have `as_of` as their event time, so only those rows are read.
    With `releases`, each user's interest after it under the live release too, if there is one.

    Raises:
        StepError: the features are of another moment, or what was written doesn't come back.
    """
    started, users = monotonic(), _users(addresses.features, as_of)
    store = open_store(addresses)
    if is_file(addresses.online_store):
        _let_readers_read(addresses.online_store)
    # Worked out first: while states of the last snapshot stand beside them, the service replays histories.
    states = work_out_live(releases, addresses.features) if releases else None
    write(store, as_of, USER_HISTORY, USER_PROFILE)
    _check_last(OnlineFeatures(addresses), str(users[-1]), as_of)
    if states is not None:
        write(store, states, USER_INTEREST_STATE)
    moment = datetime.fromtimestamp(as_of / 1e6, UTC)
    report(f"{len(users):,} users online as of {moment:%Y-%m-%d %H:%M:%S} in {monotonic() - started:.1f} s")


def materialize_interests(version: int, releases: str, addresses: FeatureStoreAddresses) -> None:
    """Write each user's interest after the snapshot that stands at `addresses.features`, under one release.

    Raises:
        StepError: no features stand there, or no such release.
    """
    store = open_store(addresses)
    write(store, work_out(version, releases, addresses.features), USER_INTEREST_STATE)


def write(store: Any, moment: int, *views: str) -> None:
    """The rows whose event time is `moment` (µs since the epoch), from the offline to the online store."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)
    with redirect_stdout(io.StringIO()):  # Feast prints a progress of its own
        store.materialize(at, at, feature_views=list(views))


def _users(features: str, as_of: int) -> pa.Array:
    """The users of the snapshot; raises StepError when the features are of another moment."""
    with fsspec.open(f"{features}/{USER_HISTORY}.parquet", "rb") as file:
        rows = pq.read_table(file, columns=["user_id", "event_timestamp"])
    newest = rows.filter(pc.equal(rows["event_timestamp"].cast(pa.int64()), as_of))
    if not newest.num_rows:
        raise StepError(
            f"features at {features}: expected histories as of {as_of}, the newest is as of "
            f"{pc.max(rows['event_timestamp'])}; run build_features for this snapshot"
        )
    return newest["user_id"].combine_chunks()


def _let_readers_read(online_store: str) -> None:
    """Write-ahead logging: the service goes on reading while Feast writes. The file remembers it."""
    with closing(sqlite3.connect(online_store)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _check_last(online: OnlineFeatures, user_id: str, as_of: int) -> None:
    """Feast writes in the table's order, so if the last user is there, all are."""
    written = online.user(user_id)
    if written is None or written.as_of != as_of:
        raise StepError(
            f"online store: expected user {user_id} as of {as_of}, read "
            f"{written.as_of if written else 'nothing'}; a newer snapshot may stand there: "
            f"materialize that one, or empty the store and run this step again"
        )
