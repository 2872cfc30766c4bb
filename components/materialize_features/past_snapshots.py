"""Keeps what the online store had at earlier snapshots, so that recorded answers can be given again.

past/<as_of>/user_history.parquet                below the features location: one row for each user
past/<as_of>/user_profile.parquet
past/<as_of>/user_interest_state-<release>.parquet

The newest snapshot is whole, and the one before has the users of the newest. Of the others, the users stay
who have recorded answers: so the exposures' retention and deletion hold for these tables, too.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

from components.progress import report
from feature_repo.atomic_files import atomic_upload
from feature_repo.contract import USER_HISTORY, USER_INTEREST_STATE, USER_PROFILE
from feature_repo.filesystems import locate, open_binary
from feature_repo.store_addresses import interest_states_of, past_features, table_path

# The newest one, and the one before, to which answers may still be recorded.
_WHOLE: Final = 2
# Rows of a batch and of a row group: a reader of one user reads one group.
_ROWS: Final = 2_000

# (as_of of a snapshot, a later time; µs) -> the users with answers until then that are based on the snapshot.
UsersOf = Callable[[int, int], Collection[str]]


def keep(features: str, as_of: int) -> None:
    """Keep the newest history and profile of each user, with the event time `as_of` (µs since the epoch)."""
    past = past_features(features, as_of)
    for name in (USER_PROFILE, USER_HISTORY):
        with open_binary(table_path(features, name)) as file, pq.ParquetFile(file) as rows:
            newest = (
                b.filter(pc.equal(b["event_timestamp"].cast(pa.int64()), as_of))
                for b in rows.iter_batches(_ROWS)
            )
            _write(*locate(table_path(past, name)), rows.schema_arrow, newest)


def keep_states(features: str, snapshot: int, release: int) -> None:
    """Keep the table of interest states, if the histories of its snapshot are kept."""
    filesystem, past = locate(past_features(features, snapshot))
    if filesystem.exists(past):
        source = locate(table_path(features, USER_INTEREST_STATE))[1]
        with (
            filesystem.open(source, "rb") as file,
            atomic_upload(filesystem, f"{past}/{interest_states_of(release)}.parquet") as kept,
        ):
            while chunk := file.read(1 << 24):
                kept.write(chunk)


def thin_out(features: str, users_of: UsersOf) -> None:
    """Delete the rows of users without recorded answers, and snapshots without any.

    The two newest snapshots keep all users, but those whom the newest does not have any more.

    Args:
        users_of: as ExposureStore.users_of.
    """
    filesystem, root = locate(past_features(features, ""))
    root = root.rstrip("/")
    if not filesystem.exists(root):
        return
    snapshots = sorted(
        int(name) for path in filesystem.ls(root, detail=False) if (name := path.rpartition("/")[2]).isdigit()
    )
    deleted = 0
    # A run begins after the one before it has ended, which replaced the features of the run before that.
    for snapshot, replaced in zip(snapshots, snapshots[_WHOLE:], strict=False):
        users = pa.array(sorted(users_of(snapshot, replaced)), pa.string())
        if len(users):
            _keep_users(filesystem, f"{root}/{snapshot}", users)
        else:
            filesystem.rm(f"{root}/{snapshot}", recursive=True)
            deleted += 1
    if len(snapshots) >= _WHOLE:
        with filesystem.open(f"{root}/{snapshots[-1]}/{USER_HISTORY}.parquet", "rb") as file:
            newest = pq.read_table(file, columns=["user_id"])["user_id"].combine_chunks()
        _keep_users(filesystem, f"{root}/{snapshots[-_WHOLE]}", newest.cast(pa.string()))
    report(f"features of earlier snapshots: {len(snapshots) - deleted} kept, {deleted} deleted")


def _keep_users(filesystem: AbstractFileSystem, snapshot: str, users: pa.Array) -> None:
    for path in filesystem.ls(snapshot, detail=False):
        if path.endswith(".parquet"):
            _keep_rows(filesystem, path, users)


def _keep_rows(filesystem: AbstractFileSystem, path: str, users: pa.Array) -> None:
    """Replace a table by its rows of `users`, unless it has no others."""
    with filesystem.open(path, "rb") as file, pq.ParquetFile(file) as rows:
        ids = rows.read(["user_id"])["user_id"]
        if not pc.all(pc.is_in(ids.cast(users.type), users)).as_py():
            batches = (
                b.filter(pc.is_in(b["user_id"].cast(users.type), users)) for b in rows.iter_batches(_ROWS)
            )
            _write(filesystem, path, rows.schema_arrow, batches)


def _write(
    filesystem: AbstractFileSystem, path: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]
) -> None:
    with (
        atomic_upload(filesystem, path) as file,
        pq.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
