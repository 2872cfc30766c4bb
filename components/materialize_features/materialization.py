"""Copies the newest history and profile of each user from the offline to the online store, and interests."""

import io
import sqlite3
from contextlib import closing, redirect_stdout
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.errors import StepError
from components.evaluate_online.users_with_answers import users_with_answers
from components.feast_backend import feast_backend
from components.materialize_features.interest_states import compute_live_interest_states
from components.materialize_features.online_states import write_online
from components.materialize_features.past_snapshots import keep, thin_out
from components.progress import report
from feature_repo.contract import USER_HISTORY, USER_PROFILE
from feature_repo.filesystems import open_binary
from feature_repo.store import open_store
from feature_repo.store_addresses import FeatureStoreAddresses, is_file, table_path
from serving.online_store.online_features import OnlineFeatures


@feast_backend()
def materialize(
    addresses: FeatureStoreAddresses, as_of: int, releases: str = "", interaction_log: str = ""
) -> None:
    """Write the snapshot of `as_of` (µs since the epoch) to the online store; a repeat changes nothing.

    The newest history and profile of each user have the event time `as_of`, so only those rows are read.

    Args:
        releases: the release store, to write the users' interests under the live release too; "" for none.
        interaction_log: its URL; features are kept while answers recorded there are based on them. "" keeps
            none.

    Raises:
        StepError: the features have another `as_of`, or reading a written user back fails.
    """
    started, users = monotonic(), _users(addresses.features, as_of)
    store = open_store(addresses)
    if is_file(addresses.online_store):
        _enable_wal(addresses.online_store)
    if interaction_log:
        keep(addresses.features, as_of)
    # Computed before the histories are written: a history that is newer than its state makes the service
    # replay it, which is slower.
    states = compute_live_interest_states(releases, addresses.features) if releases else None
    write(store, as_of, USER_HISTORY, USER_PROFILE)
    _check_last(OnlineFeatures(addresses), str(users[-1]), as_of)
    if states is not None:
        write_online(addresses.features, addresses.online_store, states)
    if interaction_log:
        with users_with_answers(interaction_log) as users_of:
            thin_out(addresses.features, users_of)
    snapshot_time, seconds = datetime.fromtimestamp(as_of / 1e6, UTC), monotonic() - started
    report(
        f"wrote {len(users):,} users as of {snapshot_time:%Y-%m-%d %H:%M:%S} UTC to the online store "
        f"in {seconds:.1f} s"
    )


def write(store: Any, event_time: int, *views: str) -> None:
    """Copy the views' rows with this event time (µs since the epoch) to the online store."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event_time)
    with redirect_stdout(io.StringIO()):  # Feast prints a progress bar
        store.materialize(at, at, feature_views=list(views))


def _users(features: str, as_of: int) -> pa.Array:
    """Return the users of the snapshot; raise StepError when the features have another `as_of`."""
    with open_binary(table_path(features, USER_HISTORY)) as file:
        rows = pq.read_table(file, columns=["user_id", "event_timestamp"])
    newest = rows.filter(pc.equal(rows["event_timestamp"].cast(pa.int64()), as_of))
    if not newest.num_rows:
        raise StepError(
            f"features at {features}: expected histories as of {as_of}, the newest is as of "
            f"{pc.max(rows['event_timestamp'])}; run build_features for this snapshot"
        )
    return newest["user_id"].combine_chunks()


def _enable_wal(online_store: str) -> None:
    """Turn on write-ahead logging, so that readers don't wait for Feast's writes; the file keeps it."""
    with closing(sqlite3.connect(online_store)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _check_last(online: OnlineFeatures, user_id: str, as_of: int) -> None:
    """Raise StepError unless the last user is online: Feast writes in the order of the table."""
    written = online.user(user_id)
    if written is None or written.as_of != as_of:
        raise StepError(
            f"online store: expected user {user_id} as of {as_of}, read "
            f"{written.as_of if written else 'nothing'}; if the store has a newer snapshot, "
            "materialize that one, or empty the store and run this step again"
        )
