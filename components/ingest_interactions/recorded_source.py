"""Adds the interactions that the recommender recorded to the warehouse."""

import time
from typing import Final

from duckdb import DuckDBPyConnection

from components.ingest_interactions.out_of_bounds import out_of_bounds
from components.ingest_interactions.warehouse import erasure, recorded_interactions
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.parts import LOG
from components.progress import report
from feature_repo.counts import counted

# The condition of a recorded interaction with the id of another one, which stays.
TAKEN_ID: Final = """interaction_id IN (
    SELECT interaction_id FROM recorded JOIN {stored} AS stored USING (interaction_id)
    WHERE stored.user_id IS DISTINCT FROM recorded.user_id OR stored.item_id IS DISTINCT FROM recorded.item_id
)"""
# A log without marks is read again, and a file may have brought a recorded interaction before.
ONLY_NEW: Final = "SELECT * FROM ({rows}) AS incoming ANTI JOIN {stored} AS stored USING (interaction_id)"


def add_recorded(connection: DuckDBPyConnection, store: Warehouse, url: str, as_of: int) -> None:
    """Add the interactions that were recorded since the last run; leave out and report those out of bounds.

    Raises:
        StepError: the log can't be read.
    """
    name = recorded_interactions.name(url)
    new = 0
    marks = store.watermarks
    if recorded_interactions.load(connection, url, marks.log.get(name, 0), as_of, marks.pseudonym_key):
        stored = store.parts("interactions")
        _leave_out(connection, stored)
        rows = "SELECT row_number() OVER (ORDER BY interaction_id) AS source_row, * FROM recorded"
        if stored:
            rows = ONLY_NEW.format(rows=rows, stored=stored)
        part = store.write(connection, "interactions", LOG, rows, name)
        new = part.rows
        if new:
            store.add(part)
    report(f"interaction log: {counted(new, 'new interaction')}" if new else "interaction log: nothing new")
    marks.log[name] = as_of


def delete_erased(connection: DuckDBPyConnection, store: Warehouse, url: str) -> None:
    """Delete the rows of users who were erased since the last run, and keep out those of all erased users.

    Raises:
        StepError: the log can't be read.
    """
    store.watermarks.keep_out(recorded_interactions.erased_users(url))
    deleted = erasure.delete_erased(connection, store)
    if rows := sum(deleted.values()):
        report(
            f"interaction log: {counted(rows, 'row')} of users who were erased since deleted from "
            "the warehouse"
        )


def _leave_out(connection: DuckDBPyConnection, stored: str | None) -> None:
    """Delete the rows of the table `recorded` that may not be ingested."""
    conditions = out_of_bounds(time.time_ns() // 1000)
    if stored:
        conditions["another interaction has the same id"] = TAKEN_ID.format(stored=stored)
    for reason, condition in conditions.items():
        query = f"SELECT count(*), min(interaction_id) FROM recorded WHERE {condition}"
        ((rows, first),) = connection.execute(query).fetchall()
        if rows:
            report(f"interaction log: {counted(rows, 'interaction')} left out: {reason}, as in {first!r}")
            connection.execute(f"DELETE FROM recorded WHERE {condition}")
