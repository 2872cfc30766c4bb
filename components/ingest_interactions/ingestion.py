"""Adds new rows of the sources to the warehouse, and writes a snapshot of the warehouse."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.catalog_report import report_catalog
from components.ingest_interactions.duckdb_session import connect
from components.ingest_interactions.feedback.event_type_table import report_event_types
from components.ingest_interactions.feedback.event_types import (
    check_known,
    count_event_types,
    snapshot_event_type,
)
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.ingest_interactions.feedback.policy_learning import learn_feedback
from components.ingest_interactions.incoming_sources import add_dataset, add_file
from components.ingest_interactions.recorded_source import add_recorded, delete_erased
from components.ingest_interactions.warehouse import snapshot
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.progress import report
from feature_repo.counts import counted
from feature_repo.pseudonyms import Pseudonyms, check_value


@dataclass(frozen=True)
class Sources:
    """Sources, "" for none: the name of a data set, paths or URLs of files, the URL of an interaction log.

    `reading` has the keys of reading.Reading: how the files are read. `accept_smaller` allows a file to have
    much fewer rows than its source had before.
    """

    dataset: str = ""
    interactions_file: str = ""
    items_file: str = ""
    users_file: str = ""
    interaction_log: str = ""
    reading: Mapping[str, Any] = field(default_factory=dict)
    accept_smaller: bool = False

    @property
    def tables(self) -> dict[str, str]:
        """Table -> file, for the tables with a file."""
        files = {"interactions": self.interactions_file, "items": self.items_file, "users": self.users_file}
        return {table: url for table, url in files.items() if url}


@dataclass(frozen=True)
class Outputs:
    """The files that an ingest writes: three Parquet files with the contract's columns, and the policy."""

    interactions: Path
    items: Path
    users: Path
    feedback: Path


# An item that no items table describes may be recommended when this many users chose it, on several days.
UNDESCRIBED_MIN_USERS: Final = 3


def ingest(
    sources: Sources,
    given: FeedbackOptions,
    warehouse: str,
    outputs: Outputs,
    undescribed_min_users: int = UNDESCRIBED_MIN_USERS,
    pseudonyms: Pseudonyms | None = None,
) -> int:
    """Add new rows of the sources to the warehouse, and write the snapshot.

    Args:
        warehouse: a directory or an fsspec URL.
        given: what event types and ratings mean; the warehouse keeps it for later runs.
        undescribed_min_users: see snapshot.write_items; 0 lets every item be recommended.
        pseudonyms: store them instead of the user ids of files and data sets. The interaction log has them
            already.

    Returns:
        The time of the snapshot, µs since the epoch; it has all interactions recorded in the log before.

    Raises:
        StepError: a source is missing, unreadable or of another catalog, or has an unknown event type; the
            warehouse is unchanged. Or the warehouse or the log was made with another pseudonym key.
    """
    as_of = time.time_ns() // 1000
    store = Warehouse(warehouse)
    store.use_key(check_value(pseudonyms))
    _check_catalog(sources, store)
    options = given.over(FeedbackOptions.parse(store.watermarks.feedback, f"{warehouse}: feedback"))
    store.watermarks.feedback = options.to_dict()
    with connect(store.filesystem) as connection:
        _add_rows(connection, store, sources, pseudonyms, as_of)
        event_types = count_event_types(connection, store)
        check_known(event_types, options)
        store.commit()
        event_type = snapshot_event_type(event_types, options)
        written = _write_snapshot(connection, store, outputs, event_type, undescribed_min_users)
        report_catalog(connection, store, outputs.interactions)
        policy = learn_feedback(connection, outputs.interactions, options)
    policy.write(outputs.feedback)
    report_event_types(event_types, policy)
    _report_snapshot(written, undescribed_min_users)
    return as_of


def _add_rows(
    connection: DuckDBPyConnection,
    store: Warehouse,
    sources: Sources,
    pseudonyms: Pseudonyms | None,
    as_of: int,
) -> None:
    """Add the new rows of the sources, recorded ones until `as_of`, and delete those of erased users."""
    if sources.interaction_log:
        delete_erased(connection, store, sources.interaction_log)
    if sources.dataset:
        add_dataset(connection, store, sources.dataset, pseudonyms)
    for table, url in sources.tables.items():
        add_file(connection, store, table, url, sources.reading, sources.accept_smaller, pseudonyms)
    if sources.interaction_log:
        add_recorded(connection, store, sources.interaction_log, as_of)


@dataclass(frozen=True)
class _RowCounts:
    """The rows of a snapshot; unknown items are among the items."""

    interactions: int
    items: int
    unknown_items: int
    users: int


def _write_snapshot(
    connection: DuckDBPyConnection,
    store: Warehouse,
    outputs: Outputs,
    event_type: str,
    undescribed_min_users: int,
) -> _RowCounts:
    """Write the three tables; `event_type` is the SQL of that column."""
    file = outputs.interactions
    interactions = snapshot.write_interactions(connection, store, file, event_type)
    items, unknown = snapshot.write_items(connection, store, file, outputs.items, undescribed_min_users)
    users = snapshot.write_users(connection, store, file, outputs.users)
    return _RowCounts(interactions, items, unknown, users)


def _report_snapshot(written: _RowCounts, undescribed_min_users: int) -> None:
    if written.unknown_items:
        report(
            f"items: {written.unknown_items:,} are in no items table, and fewer than {undescribed_min_users} "
            "users chose them, or on one day only: they are not recommended (--undescribed-min-users)"
        )
    report(
        f"snapshot: {counted(written.interactions, 'interaction')}, {counted(written.items, 'item')}, "
        f"{counted(written.users, 'user')}"
    )


def _check_catalog(sources: Sources, store: Warehouse) -> None:
    """Reject a second catalog in one home, because its ids could be equal to those of the first one."""
    new = [name for name in (sources.dataset, "files" if sources.tables else "") if name]
    catalog = store.watermarks.catalog
    for name in new:
        if catalog and name != catalog:
            raise StepError(
                f"this home already has {_describe(catalog)}; {_describe(name)} can't be added to it: "
                "use another home with --home DIRECTORY"
            )
        catalog = name
    store.watermarks.catalog = catalog


def _describe(catalog: str) -> str:
    return "your own files" if catalog == "files" else f"the data set {catalog}"
