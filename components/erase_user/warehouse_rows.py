"""Erases a user from the warehouse, and keeps the rows of the user out of later ingests."""

from components.ingest_interactions.duckdb_session import connect
from components.ingest_interactions.warehouse.erasure import delete_users
from components.ingest_interactions.warehouse.manifest import Warehouse
from feature_repo.erased_users import ErasedUsers


def erase(warehouse: str, user_id: str, erased: ErasedUsers) -> dict[str, int]:
    """Delete the rows of a user; returns table -> rows.

    The files of the user's rows stay where they are, and the rows stay out when a file brings them again, as
    long as the user is one of `erased`.

    Args:
        erased: all erased users, this one too.
    """
    store = Warehouse(warehouse)
    store.watermarks.keep_out(erased)
    with connect(store.filesystem) as connection:
        deleted = delete_users(connection, store, [user_id])
    store.commit()
    return deleted


def allow(warehouse: str, erased: ErasedUsers) -> None:
    """Let later ingests bring the rows of users again who are no longer one of `erased`."""
    store = Warehouse(warehouse)
    store.watermarks.keep_out(erased)
    store.commit()
