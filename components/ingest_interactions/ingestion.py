"""What is new in the sources goes into the warehouse; the warehouse goes into a snapshot."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import duckdb
from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions import datasets, files, recorded, snapshot
from components.ingest_interactions.conformance import conform
from components.ingest_interactions.session import connect
from components.ingest_interactions.warehouse import Warehouse
from components.progress import report

# Of interactions that are in already, or twice in one source, the first holds.
NEW: Final = """
    SELECT * FROM ({rows}) AS fresh {unknown}
    QUALIFY row_number() OVER (PARTITION BY interaction_id, user_id, item_id ORDER BY source_row) = 1
"""
UNKNOWN: Final = """
    ANTI JOIN {parts} AS known ON fresh.interaction_id = known.interaction_id
    AND fresh.user_id IS NOT DISTINCT FROM known.user_id AND fresh.item_id IS NOT DISTINCT FROM known.item_id
"""


@dataclass(frozen=True)
class Sources:
    """Where interactions come from, "" for none: a data set by name, files by path or URL, a log by URL."""

    dataset: str = ""
    interactions_file: str = ""
    items_file: str = ""
    users_file: str = ""
    interaction_log: str = ""

    @property
    def tables(self) -> dict[str, str]:
        """The files given, by table."""
        given = {"interactions": self.interactions_file, "items": self.items_file, "users": self.users_file}
        return {table: url for table, url in given.items() if url}


def ingest(sources: Sources, warehouse: str, interactions: Path, items: Path, users: Path) -> int:
    """Add what is new in the sources to the warehouse, once, and write the snapshot.

    Args:
        warehouse: a directory or an fsspec URL.
        interactions, items, users: Parquet files to write, in the contract's columns.

    Returns:
        The moment of the snapshot, µs since the epoch: what the log took before it is in.

    Raises:
        StepError: a source is missing, unreadable, or belongs to another catalog; nothing was added.
    """
    as_of = time.time_ns() // 1000
    store = Warehouse(warehouse)
    _check_catalog(sources, store)
    with connect(store.filesystem) as connection:
        if sources.dataset:
            _add_dataset(connection, store, sources.dataset)
        for table, url in sources.tables.items():
            _add_file(connection, store, table, url)
        if sources.interaction_log:
            _add_recorded(connection, store, sources.interaction_log, as_of)
        store.commit()
        rows = snapshot.write_interactions(connection, store, interactions)
        known_items = snapshot.write_items(connection, store, interactions, items)
        known_users = snapshot.write_users(connection, store, interactions, users)
    report(f"snapshot: {rows:,} interactions, {known_items:,} items, {known_users:,} users")
    return as_of


def _check_catalog(sources: Sources, store: Warehouse) -> None:
    """One home holds one catalog: ids of different catalogs must never meet."""
    wanted = [name for name in (sources.dataset, "files" if sources.tables else "") if name]
    held = store.watermarks.catalog
    for name in wanted:
        if held and name != held:
            raise StepError(
                f"this home already holds {_spoken(held)}, and {_spoken(name)} can't be mixed in: "
                "give it a home of its own with --home DIRECTORY"
            )
        held = name
    store.watermarks.catalog = held


def _spoken(catalog: str) -> str:
    return "your own files" if catalog == "files" else f"the data set {catalog}"


def _add_dataset(connection: DuckDBPyConnection, store: Warehouse, name: str) -> None:
    dataset = datasets.find(name)
    if store.holds("interactions", name):
        report(f"{name}: already ingested, skipped")
        return
    with tempfile.TemporaryDirectory(prefix="penchant-") as folder:
        tables, origin = datasets.read(connection, dataset, store, Path(folder))
        for table, relation in tables.items():
            rows = conform(connection, relation, table, name)
            added = _add(connection, store, table, name, name, rows)
            report(f"{name}: {added:,} {table} from {origin}")


def _add_file(connection: DuckDBPyConnection, store: Warehouse, table: str, url: str) -> None:
    name = PurePosixPath(url).name
    digest = files.digest(table, url)
    if store.holds(table, digest):
        report(f"{name}: the same content is already ingested, skipped")
        return
    relation = files.read(connection, url)
    try:
        query = conform(connection, relation, table, name)
    except duckdb.InvalidInputException as error:
        raise files.unreadable(name, error) from error
    added = _add(connection, store, table, "file", digest, query)
    (read,) = connection.execute("SELECT count(*) FROM conformed").fetchall()[0]
    report(f"{name}: {read:,} {table} read, {added:,} new, {read - added:,} repeated or known")


def _add_recorded(connection: DuckDBPyConnection, store: Warehouse, url: str, as_of: int) -> None:
    name = recorded.name(url)
    since = store.watermarks.log.get(name, 0)
    if recorded.load(connection, url, since):
        rows = "SELECT row_number() OVER (ORDER BY interaction_id) AS source_row, * FROM recorded"
        unknown = connection.sql(_new(store, rows)).aggregate("count(*)").fetchall()[0][0]
        if unknown:
            _add(connection, store, "interactions", "log", f"{name}@{since}", rows)
        report(f"interaction log: {unknown:,} new interactions")
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
    return NEW.format(rows=rows, unknown=UNKNOWN.format(parts=parts) if parts else "")
