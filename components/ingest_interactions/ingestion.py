"""Adds new rows of the sources to the warehouse, and writes a snapshot of the warehouse."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions import datasets
from components.ingest_interactions.columns.mapped_table import map_table
from components.ingest_interactions.columns.schema_conformance import conform
from components.ingest_interactions.duckdb_session import connect
from components.ingest_interactions.feedback_options import FeedbackOptions
from components.ingest_interactions.feedback_report import (
    check_known,
    count_event_types,
    learn_feedback,
    report_event_types,
    snapshot_event_type,
)
from components.ingest_interactions.files import table_files
from components.ingest_interactions.files.damage import damage_reported
from components.ingest_interactions.reading import Reading, reading_of
from components.ingest_interactions.source_table import open_source
from components.ingest_interactions.times.time_zones import future_note
from components.ingest_interactions.warehouse import recorded_interactions, snapshot
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.progress import report

# Of equal interactions, in the warehouse or in one source, the first one counts.
NEW: Final = """
    SELECT * FROM ({rows}) AS incoming {only_new}
    QUALIFY row_number() OVER (PARTITION BY interaction_id, user_id, item_id ORDER BY source_row) = 1
"""
ONLY_NEW: Final = """
    ANTI JOIN {parts} AS stored ON incoming.interaction_id = stored.interaction_id
    AND incoming.user_id IS NOT DISTINCT FROM stored.user_id
    AND incoming.item_id IS NOT DISTINCT FROM stored.item_id
"""


@dataclass(frozen=True)
class Sources:
    """Sources, "" for none: the name of a data set, paths or URLs of files, the URL of an interaction log.

    `reading` has the keys of reading.Reading: how the files are read.
    """

    dataset: str = ""
    interactions_file: str = ""
    items_file: str = ""
    users_file: str = ""
    interaction_log: str = ""
    reading: Mapping[str, Any] = field(default_factory=dict)

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


def ingest(sources: Sources, given: FeedbackOptions, warehouse: str, outputs: Outputs) -> int:
    """Add new rows of the sources to the warehouse, and write the snapshot.

    Args:
        warehouse: a directory or an fsspec URL.
        given: what event types and ratings mean; the warehouse keeps it for later runs.

    Returns:
        The time of the snapshot, µs since the epoch; it has all interactions recorded in the log before.

    Raises:
        StepError: a source is missing, unreadable or of another catalog, or has an unknown event type; the
            warehouse is unchanged.
    """
    as_of = time.time_ns() // 1000
    store = Warehouse(warehouse)
    _check_catalog(sources, store)
    options = given.over(FeedbackOptions.parse(store.watermarks.feedback, f"{warehouse}: feedback"))
    store.watermarks.feedback = options.to_dict()
    with connect(store.filesystem) as connection:
        if sources.dataset:
            _add_dataset(connection, store, sources.dataset)
        for table, url in sources.tables.items():
            _add_file(connection, store, table, url, reading_of(url, table, sources.reading))
        if sources.interaction_log:
            _add_recorded(connection, store, sources.interaction_log, as_of)
        event_types = count_event_types(connection, store)
        check_known(event_types, options)
        store.commit()
        event_type = snapshot_event_type(event_types, options)
        rows = snapshot.write_interactions(connection, store, outputs.interactions, event_type)
        item_count = snapshot.write_items(connection, store, outputs.interactions, outputs.items)
        user_count = snapshot.write_users(connection, store, outputs.interactions, outputs.users)
        policy = learn_feedback(connection, outputs.interactions, options)
    policy.write(outputs.feedback)
    report_event_types(event_types, policy)
    report(f"snapshot: {rows:,} interactions, {item_count:,} items, {user_count:,} users")
    return as_of


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


def _add_dataset(connection: DuckDBPyConnection, store: Warehouse, name: str) -> None:
    dataset = datasets.find(name)
    if store.contains("interactions", name):
        report(f"{name}: already ingested, skipped")
        return
    with tempfile.TemporaryDirectory(prefix="penchant-") as folder:
        tables, origin = datasets.read(connection, dataset, store, Path(folder))
        for table, relation in tables.items():
            rows = conform(connection, map_table(relation, table, name))
            added = _add(connection, store, table, name, name, rows)
            report(f"{name}: {added:,} {table} from {origin}")


def _add_file(
    connection: DuckDBPyConnection, store: Warehouse, table: str, url: str, reading: Reading
) -> None:
    name = PurePosixPath(url).name
    digest = table_files.digest(table, url)
    if store.contains(table, digest):
        report(f"{name}: the same content is already ingested, skipped")
        return
    opened, mapped = open_source(connection, table, url, reading)
    for line in (opened.description, *opened.notes, *mapped.description):
        report(f"{name}: {line}")
    with damage_reported(name):
        query = conform(connection, mapped)
    if table == "interactions" and reading.timezone is None:
        _report_future(connection, name)
    added = _add(connection, store, table, "file", digest, query)
    (read,) = connection.execute("SELECT count(*) FROM conformed").fetchall()[0]
    report(f"{name}: {read:,} {table} read, {added:,} new, {read - added:,} already ingested or repeated")


def _report_future(connection: DuckDBPyConnection, name: str) -> None:
    ((newest,),) = connection.execute('SELECT max("timestamp") FROM conformed').fetchall()
    if note := future_note("timestamp", newest, time.time_ns() // 1000):
        report(f"{name}: {note}")


def _add_recorded(connection: DuckDBPyConnection, store: Warehouse, url: str, as_of: int) -> None:
    name = recorded_interactions.name(url)
    since = store.watermarks.log.get(name, 0)
    if recorded_interactions.load(connection, url, since):
        rows = "SELECT row_number() OVER (ORDER BY interaction_id) AS source_row, * FROM recorded"
        new = connection.sql(_new(store, rows)).aggregate("count(*)").fetchall()[0][0]
        if new:
            _add(connection, store, "interactions", "log", f"{name}@{since}", rows)
        report(f"interaction log: {new:,} new interactions")
    else:
        report("interaction log: nothing new")
    store.watermarks.log[name] = as_of


def _add(
    connection: DuckDBPyConnection, store: Warehouse, table: str, source: str, digest: str, rows: str
) -> int:
    return store.add(
        connection, table, source, digest, _new(store, rows) if table == "interactions" else rows
    )


def _new(store: Warehouse, rows: str) -> str:
    parts = store.parts("interactions")
    return NEW.format(rows=rows, only_new=ONLY_NEW.format(parts=parts) if parts else "")
