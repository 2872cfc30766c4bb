"""Erases a user from the warehouse, and keeps the rows of the user out of later ingests."""

from dataclasses import replace

from components.ingest_interactions.duckdb_session import connect
from components.ingest_interactions.warehouse.erasure import TABLES, delete_users
from components.ingest_interactions.warehouse.manifest import Warehouse
from feature_repo.erased_users import ErasedUsers


def erase(warehouse: str, user_id: str, erased: ErasedUsers) -> dict[str, int]:
    """Delete the rows of a user; returns table -> rows, with those that runs have deleted since the erasure.

    The counts stay in the manifest until `complete`, so a repeat returns them again. The files of the user's
    rows stay where they are, and the rows stay out when a file brings them again, as long as the user is one
    of `erased`.

    Args:
        erased: all erased users, this one too.
    """
    store = Warehouse(warehouse)
    if store.is_new:  # the first ingest reads who is erased, and with which key ids are replaced
        return dict.fromkeys(TABLES, 0)
    store.watermarks.keep_out(erased)
    with connect(store.filesystem) as connection:
        delete_users(connection, store, [user_id])
    store.commit()
    return dict.fromkeys(TABLES, 0) | store.watermarks.deleted.get(erased.digest(user_id), {})


def complete(warehouse: str, digest: str) -> None:
    """Forget the counts of an erasure whose receipt is written."""
    store = Warehouse(warehouse)
    if store.watermarks.deleted.pop(digest, None):
        store.commit()


def allow(warehouse: str, erased: ErasedUsers) -> None:
    """Let later ingests bring the rows of users again who are no longer one of `erased`.

    The same files are then read again: their rows had been left out.
    """
    store = Warehouse(warehouse)
    if store.is_new:
        return
    marks = store.watermarks
    marks.keep_out(erased)
    marks.deleted = {digest: rows for digest, rows in marks.deleted.items() if digest in marks.digests()}
    marks.parts = [replace(part, digest="") if part.table in TABLES else part for part in marks.parts]
    store.commit()
