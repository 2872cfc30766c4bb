"""Deletes the rows of users from the warehouse."""

from collections.abc import Collection

from duckdb import DuckDBPyConnection

from components.ingest_interactions.duckdb_session import literal
from components.ingest_interactions.warehouse.erased_rows import erased_among
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.retracted_rows import CONDITION

TABLES = ("interactions", "users")


def delete_users(
    connection: DuckDBPyConnection, store: Warehouse, user_ids: Collection[str]
) -> dict[str, int]:
    """Delete the rows of users, and what the manifest says of them; returns table -> rows.

    Validation does not take the missing rows as a loss. The change is stored by `store.commit`.
    """
    deleted = dict.fromkeys(TABLES, 0)
    if not user_ids:
        return deleted
    is_erased = f"user_id IN ({', '.join(map(literal, user_ids))})"
    for table in TABLES:
        for part in store.listed(table):
            scan = store.scan([part]) or ""
            ((rows,),) = connection.execute(f"SELECT count(*) FROM {scan} WHERE {is_erased}").fetchall()
            if rows:
                store.rewrite(connection, part, f"SELECT * FROM {scan} WHERE ({is_erased}) IS NOT TRUE")
            deleted[table] += rows
    store.watermarks.withdrawn += deleted["interactions"]
    store.watermarks.retractions = [
        retraction
        for retraction in store.watermarks.retractions
        if not any(_user(condition) in user_ids for condition in retraction.conditions)
    ]
    return deleted


def delete_erased(connection: DuckDBPyConnection, store: Warehouse) -> dict[str, int]:
    """Delete the rows of the users that the manifest lists as erased; as delete_users."""
    stored = (
        f"SELECT DISTINCT user_id FROM {scan}" for table in TABLES if (scan := store.parts(table)) is not None
    )
    query = " UNION ".join(stored)
    user_ids = erased_among(connection, query, store.watermarks.erased_users) if query else []
    return delete_users(connection, store, user_ids)


def _user(condition: str) -> str:
    """Return the user id that a condition names; "" for none."""
    match = CONDITION.fullmatch(condition)
    return match[3] if match and match[1] == "user_id" else ""
