"""Copies the newest history and profile of each user from the offline to the online store, and interests."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.errors import StepError
from components.evaluate_online.users_with_answers import users_with_answers
from components.materialize_features.interest_states import compute_live_interest_states
from components.materialize_features.online_writer import write_view
from components.materialize_features.past_snapshots import keep, thin_out
from components.progress import report
from feature_repo.contract import FEAST_PROJECT, USER_HISTORY, USER_INTEREST_STATE, USER_PROFILE
from feature_repo.counts import counted
from feature_repo.filesystems import open_binary
from feature_repo.store import open_store
from feature_repo.store_addresses import FeatureStoreAddresses, is_file, table_path
from serving.online_store.online_features import OnlineFeatures


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
    started, users = monotonic(), _count_users(addresses.features, as_of)
    store = open_store(addresses)
    if is_file(addresses.online_store):
        _enable_wal(addresses.online_store)
    # Computed before the histories are written: a history that is newer than its state makes the service
    # replay it, which is slower.
    states = compute_live_interest_states(releases, addresses.features) if releases else None
    written = {view: write_view(view, addresses, as_of) for view in (USER_HISTORY, USER_PROFILE)}
    _check_last(OnlineFeatures(addresses), written[USER_HISTORY], as_of)
    _record(store, as_of, written)
    if interaction_log:  # only what is online: answers are never based on a snapshot whose run failed before
        keep(addresses.features, as_of)
    if states is not None:
        write_view(USER_INTEREST_STATE, addresses, states)
    if interaction_log:
        with users_with_answers(interaction_log) as users_of:
            thin_out(addresses.features, users_of)
    snapshot_time, seconds = datetime.fromtimestamp(as_of / 1e6, UTC), monotonic() - started
    report(
        f"wrote {counted(users, 'user')} as of {snapshot_time:%Y-%m-%d %H:%M:%S} UTC to the online store "
        f"in {seconds:.1f} s"
    )


def _count_users(features: str, as_of: int) -> int:
    """Return the users of the snapshot; raise StepError when the features have another `as_of`."""
    with open_binary(table_path(features, USER_HISTORY)) as file:
        times = pq.read_table(file, columns=["event_timestamp"])["event_timestamp"]
    if users := pc.sum(pc.equal(times.cast(pa.int64()), as_of)).as_py():
        return int(users)
    raise StepError(
        f"features at {features}: expected histories as of {as_of}, the newest is as of {pc.max(times)}; "
        "run build_features for this snapshot"
    )


def _record(store: Any, as_of: int, views: Iterable[str]) -> None:
    """Tell Feast's registry which event time of the views is online, as its own materialization does."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=as_of)
    for view in views:
        store.registry.apply_materialization(store.get_feature_view(view), FEAST_PROJECT, at, at)


def _enable_wal(online_store: str) -> None:
    """Turn on write-ahead logging, so that readers don't wait for writes; the file keeps it."""
    with closing(sqlite3.connect(online_store)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _check_last(online: OnlineFeatures, user_id: str, as_of: int) -> None:
    """Raise StepError unless the last user is online: they are written in the order of the table."""
    written = online.user(user_id)
    if written is None or written.as_of != as_of:
        raise StepError(
            f"online store: expected user {user_id} as of {as_of}, read "
            f"{written.as_of if written else 'nothing'}; if the store has a newer snapshot, "
            "materialize that one, or empty the store and run this step again"
        )
