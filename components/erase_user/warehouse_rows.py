"""Erases a user from the warehouse, and keeps the rows of the user out of later ingests."""

from components.ingest_interactions.duckdb_session import connect, literal
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.retracted_rows import CONDITION
from feature_repo.erased_users import ErasedUsers


def erase(warehouse: str, user_id: str, erased: ErasedUsers) -> dict[str, int]:
    """Delete the rows of a user; returns table -> rows.

    Validation does not take the missing rows as a loss. The files of the user's rows stay where they are, and
    the rows stay out when a file brings them again, as long as the user is one of `erased`.

    Args:
        erased: all erased users, this one too.
    """
    store = Warehouse(warehouse)
    store.watermarks.keep_out(erased)
    is_user, deleted = f"user_id = {literal(user_id)}", {}
    with connect(store.filesystem) as connection:
        for table in ("interactions", "users"):
            deleted[table] = 0
            for part in store.listed(table):
                scan = store.scan([part]) or ""
                ((rows,),) = connection.execute(f"SELECT count(*) FROM {scan} WHERE {is_user}").fetchall()
                if rows:
                    store.rewrite(connection, part, f"SELECT * FROM {scan} WHERE {is_user} IS NOT TRUE")
                deleted[table] += rows
    store.watermarks.withdrawn += deleted["interactions"]
    store.watermarks.retractions = [
        retraction
        for retraction in store.watermarks.retractions
        if not any(_names(condition, user_id) for condition in retraction.conditions)
    ]
    store.commit()
    return deleted


def allow(warehouse: str, erased: ErasedUsers) -> None:
    """Let later ingests bring the rows of users again who are no longer one of `erased`."""
    store = Warehouse(warehouse)
    store.watermarks.keep_out(erased)
    store.commit()


def _names(condition: str, user_id: str) -> bool:
    match = CONDITION.fullmatch(condition)
    return bool(match and match[1] == "user_id" and match[3] == user_id)
