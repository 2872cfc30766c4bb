"""Fetches the training set: each (user, cutoff) of the spine with its history.

The spine (Feast: entity dataframe) is joined with the features point in time, by Feast.
"""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.compute.address import IN_PROCESS, Compute
from components.compute.engine import fetch as fetch_arrow
from components.errors import StepError
from components.feast_backend import feast_backend
from components.fetch_training_set.history_slices import SelectHistories, open_slices
from components.progress import report
from components.user_attributes import UserAttributes
from feature_repo.atomic_files import atomic_file
from feature_repo.contract import HISTORY_LISTS
from feature_repo.counts import counted
from feature_repo.feature_views import TRAINING
from feature_repo.store_addresses import FeatureStoreAddresses
from feature_repo.table_schemas import SPINE, TRAINING_SET

# Rows joined at once, to limit memory: each has up to MAX_HISTORY interactions.
ROWS_PER_JOIN = 25_000
ROWS_PER_GROUP = 5_000


def fetch(
    spine: Path, addresses: FeatureStoreAddresses, training_set: Path, compute: Compute = IN_PROCESS
) -> dict[str, int | str]:
    """Write the training set in the order of the spine; return row counts for the artifact's metadata.

    A row without a target is a window. It keeps only the interactions since the cutoff of the previous window
    of its user and split, so that the windows of a split contain each interaction once.

    Args:
        spine: a Parquet file with the columns of SPINE, ordered by user_id and cutoff.
        addresses: of the features that build_features wrote together with this spine.
        training_set: the Parquet file to write, with the columns of TRAINING_SET.
        compute: where the joins run; the file is the same.

    Raises:
        StepError: the spine is unreadable, a row has no history, or a history reaches its cutoff.
    """
    started, rows = monotonic(), _read_spine(spine)
    attributes, interactions = UserAttributes.read(addresses.features), 0
    with (
        feast_backend(compute, addresses.features.rpartition("/")[0]),
        open_slices(addresses, compute) as select,
        atomic_file(training_set) as staged,
        pq.ParquetWriter(staged, TRAINING_SET, compression="zstd") as writer,
    ):
        for table in _join(select, rows, attributes):
            _check_point_in_time(table)
            writer.write_table(table, row_group_size=ROWS_PER_GROUP)
            interactions += len(table["item_ids"].combine_chunks().flatten())
    seconds = monotonic() - started
    report(
        f"training set: {counted(rows.num_rows, 'row')}, {counted(interactions, 'interaction')} "
        f"in {seconds:.1f} s"
    )
    splits = {row["values"]: row["counts"] for row in pc.value_counts(rows["split"]).to_pylist()}
    return {"rows": rows.num_rows, "interactions": interactions, "feature_service": TRAINING, **splits}


def _read_spine(file: Path) -> pa.Table:
    try:
        return pq.read_table(file).select(SPINE.names).cast(SPINE)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise StepError(
            f"spine: expected a Parquet file with the columns {', '.join(SPINE.names)} at {file} ({error}); "
            f"run build_features again"
        ) from error


def _join(select: SelectHistories, spine: pa.Table, attributes: UserAttributes) -> Iterator[pa.Table]:
    since = _window_starts(spine)
    for start in range(0, spine.num_rows, ROWS_PER_JOIN):
        rows = spine.slice(start, ROWS_PER_JOIN)
        # Rows of several splits may have the same user and cutoff: fetch each history once.
        keys = rows.select(["user_id", "cutoff"]).to_pandas().rename(columns={"cutoff": "event_timestamp"})
        pair = keys.groupby(["user_id", "event_timestamp"], sort=False).ngroup().to_numpy()
        pairs = keys.drop_duplicates(ignore_index=True).assign(row=lambda rows: np.arange(len(rows)))
        store = select(rows["user_id"])
        service = store.get_feature_service(TRAINING)
        job = store.get_historical_features(entity_df=pairs.copy(), features=service)
        histories = fetch_arrow(job.table).sort_by("row")
        _check_complete(pairs, histories)
        lists = [histories[name].take(pa.array(pair)).combine_chunks() for name in HISTORY_LISTS]
        lists = _cut(lists, since[start : start + ROWS_PER_JOIN])
        parts = [*rows.columns, *lists, *attributes.columns(rows["user_id"])]
        yield pa.Table.from_arrays(parts, names=TRAINING_SET.names).cast(TRAINING_SET)


def _window_starts(spine: pa.Table) -> NDArray[np.int64]:
    """Return [rows] the cutoff (µs) of the next older window; the smallest integer where there is none."""
    rows = pd.DataFrame(
        {
            "user": spine["user_id"].combine_chunks().dictionary_encode().indices.to_numpy(),
            "split": spine["split"].combine_chunks().dictionary_encode().indices.to_numpy(),
            "cutoff": spine["cutoff"].cast(pa.int64()).to_numpy(),
        }
    )
    windows = rows[spine["target_item_id"].is_null().to_numpy()].sort_values("cutoff", kind="stable")
    earliest = np.iinfo(np.int64).min
    starts = np.full(len(rows), earliest)
    older = windows.groupby(["user", "split"], sort=False)["cutoff"].shift(fill_value=earliest)
    starts[older.index] = older
    return starts


def _cut(lists: list[pa.Array], since: NDArray[np.int64]) -> list[pa.Array]:
    """Remove the interactions of each row that are older than `since` (µs)."""
    timestamps = lists[HISTORY_LISTS.index("timestamps")]
    rows = timestamps.value_parent_indices().to_numpy()
    kept = timestamps.flatten().to_numpy() >= since[rows]
    if kept.all():
        return lists
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows[kept], minlength=len(since)))])
    return [
        pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), column.flatten().filter(pa.array(kept)))
        for column in lists
    ]


def _check_complete(pairs: pd.DataFrame, histories: pa.Table) -> None:
    """Raise StepError unless each (user, cutoff) has exactly one history, which may be empty."""
    present = histories["row"].filter(histories["item_ids"].is_valid()).to_numpy()
    missing = pairs[~pairs["row"].isin(present)]
    if len(missing) or histories.num_rows != len(pairs):
        raise StepError(
            f"features: expected one history for each of {len(pairs)} (user, cutoff) pairs, got "
            f"{histories.num_rows} rows; {len(missing)} pairs have none, such as "
            f"{missing.head(1).to_dict('records')}: the spine belongs to other features; "
            "run build_features again"
        )


def _check_point_in_time(table: pa.Table) -> None:
    """Raise StepError if a history has an interaction at its cutoff or later."""
    timestamps = table["timestamps"].combine_chunks()
    row = timestamps.value_parent_indices().to_numpy()
    cutoffs = table["cutoff"].cast(pa.int64()).to_numpy()
    late = np.flatnonzero(timestamps.flatten().to_numpy() >= cutoffs[row])
    if late.size:
        first = table.slice(int(row[late[0]]), 1)
        raise StepError(
            f"features: the history of user {first['user_id'][0]} at {first['cutoff'][0]} reaches its "
            f"cutoff; {late.size} interactions are at their cutoff or later; run build_features again"
        )
