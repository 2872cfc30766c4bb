"""Computes the offline feature store and the spine of the training set from interactions and users.

The spine (Feast: entity dataframe) lists the (user, cutoff) rows of the training set.
"""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.build_features.disliked_before import SCHEMA, find_disliked_before
from components.build_features.histories import build_histories, split_by_user
from components.build_features.labelled_users import LabelledUsers, read_labelled_users
from components.build_features.offline_store import ROWS_PER_GROUP, publishing, write
from components.build_features.protocols import make_protocol
from components.build_features.spine import build_spine
from components.build_features.time_conversion import TIMESTAMP, timestamp, to_datetime
from components.build_features.user_profile import all_users, build_user_profile
from components.compute.address import IN_PROCESS, Compute
from components.compute.engine import connect
from components.errors import StepError
from components.progress import report
from feature_repo.atomic_files import atomic_file
from feature_repo.counts import counted
from feature_repo.event_types import IMPRESSION
from feature_repo.feedback import FeedbackPolicy


def build(
    interactions: Path,
    users: Path,
    feedback: FeedbackPolicy,
    as_of: int,
    protocol: str,
    warehouse: str,
    spine: Path,
    compute: Compute = IN_PROCESS,
    before_test: bool = False,
) -> str:
    """Write the feature tables and the spine; return the location of the tables, `<warehouse>/features`.

    Args:
        interactions, users: Parquet files with the contract's columns.
        feedback: the sign and strength of each interaction; targets are positive ones.
        as_of: µs since the epoch; interactions at this time or later are ignored, and all impressions.
        protocol: "leave-one-out" or "time".
        spine: the Parquet file to write, with the columns user_id, cutoff, split, target_item_id.
        compute: where the expressions run; the files are the same.
        before_test: as in `build_spine`.

    Raises:
        StepError: an unreadable file, too few interactions, an unknown protocol, an invalid user attribute.
    """
    location = f"{warehouse.rstrip('/')}/features"
    with connect(compute, warehouse) as engine:
        user_table, log = engine.read(users, "users"), engine.read(interactions, "interactions")
        log = log.filter(log.timestamp < timestamp(as_of), log.event_type != IMPRESSION)
        searches, log = log.filter(log.item_id.isnull()), log.filter(log.item_id.notnull())
        disliked = [SCHEMA.empty_table()]
        labelled = _with_dislikes(read_labelled_users(log, feedback), disliked)
        rules = make_protocol(protocol, log, as_of)
        spine_rows = build_spine(labelled, rules, as_of, before_test=before_test)
        _check_splits(spine_rows, as_of, protocol)
        with atomic_file(spine) as staged_spine, publishing(location) as staging:
            pq.write_table(spine_rows, staged_spine, compression="zstd", row_group_size=ROWS_PER_GROUP)
            spine_table = engine.read(staged_spine, "spine")
            disliked_before = engine.table(pa.concat_tables(disliked), "disliked_before")
            everybody = all_users(log, searches, user_table)
            profiles = build_user_profile(log, searches, user_table, disliked_before)
            _write(staging, "user_profile", [_snapshot(profiles, as_of)])
            _write(staging, "user_history", _histories(log, spine_table, everybody, as_of))
    return location


def _with_dislikes(labelled: Iterator[LabelledUsers], tables: list[pa.Table]) -> Iterator[LabelledUsers]:
    """Yield the same users, and add what they disliked before their histories to `tables`."""
    for users in labelled:
        tables.append(find_disliked_before(users))
        yield users


def _check_splits(spine: pa.Table, as_of: int, protocol: str) -> None:
    """Raise StepError unless every split has rows."""
    rows = {row["values"]: row["counts"] for row in pc.value_counts(spine["split"]).to_pylist()}
    for split in ("all", "train", "validation", "test"):
        if not rows.get(split):
            raise StepError(
                f"interactions before {to_datetime(as_of)} give no row for the split {split!r} of "
                f"protocol={protocol!r}: leave-one-out needs users with interactions at 3 different times, "
                "the last two of them positive; time needs positive interactions before and after each of "
                "its two cutoffs. Ingest more, or use the other one; the table of event types above says "
                "what counts as positive (--positive, --min-value)"
            )
    sizes = ", ".join(f"{rows[split]:,} {split}" for split in sorted(rows))
    report(f"rows of the spine, protocol {protocol}: {sizes}")


def _snapshot(table: ir.Table, as_of: int) -> ir.Table:
    """Add the event time of the snapshot to `table`, and order it by key."""
    times = {"event_timestamp": timestamp(as_of), "created": timestamp(as_of)}
    return table.mutate(**times).order_by(table.columns[0])


def _histories(log: ir.Table, spine: ir.Table, users: ir.Table, as_of: int) -> Iterator[ir.Table]:
    """Yield the histories of the spine, and of each user as of the snapshot; one row per (user, cutoff).

    The event time of a history is its cutoff: Feast joins the newest row up to and including a time, so a
    join at the cutoff finds the history strictly before it.
    """
    newest = users.select("user_id", cutoff=timestamp(as_of).cast(TIMESTAMP))
    cutoffs = ibis.union(spine.select("user_id", "cutoff"), newest, distinct=True)
    for interactions, part in split_by_user(log, cutoffs):
        histories = build_histories(interactions, part).rename(event_timestamp="cutoff")
        times = {"as_of": ibis.literal(as_of, "int64"), "created": timestamp(as_of)}
        yield histories.mutate(**times).order_by("user_id", "event_timestamp")


def _write(staging: Path, name: str, parts: Iterator[ir.Table] | list[ir.Table]) -> None:
    started = monotonic()
    rows = write(staging / f"{name}.parquet", parts)
    report(f"{name}: {counted(rows, 'row')} in {monotonic() - started:.1f} s")
