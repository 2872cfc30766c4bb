"""Deletes the rows of users from the warehouse."""

from collections.abc import Collection
from dataclasses import replace

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
            query = (
                f"SELECT user_id, count(*) FROM {scan} WHERE {is_erased} GROUP BY user_id ORDER BY user_id"
            )
            if found := connection.execute(query).fetchall():
                store.rewrite(connection, part, f"SELECT * FROM {scan} WHERE ({is_erased}) IS NOT TRUE")
            for user_id, rows in found:
                store.watermarks.count_deleted(user_id, table, rows)
                deleted[table] += rows
    store.watermarks.withdrawn += deleted["interactions"]
    store.watermarks.retractions = [
        replace(retraction, conditions=[_without_user(text, user_ids) for text in retraction.conditions])
        for retraction in store.watermarks.retractions
        if not any(_user(text) in [("=", user_id) for user_id in user_ids] for text in retraction.conditions)
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


def _user(condition: str) -> tuple[str, str]:
    """Return the operator and the user id of a condition; empty for a condition on another column."""
    match = CONDITION.fullmatch(condition)
    return (match[2], match[3]) if match and match[1] == "user_id" else ("", "")


def _without_user(condition: str, user_ids: Collection[str]) -> str:
    """Return a condition that is the same for all users but these, and names none of them."""
    operator, user_id = _user(condition)
    return "user_id!=" if operator == "!=" and user_id in user_ids else condition
