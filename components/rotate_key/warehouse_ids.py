"""Gives the user ids of a warehouse the next pseudonym key."""

from dataclasses import replace

import pyarrow as pa

from components.ingest_interactions.duckdb_session import connect
from components.ingest_interactions.warehouse.erasure import TABLES
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.retracted_rows import replace_user_id
from feature_repo.pseudonyms import Pseudonyms

_PSEUDONYMS = pa.schema([("user_id", pa.string()), ("pseudonym", pa.string())])


def keeps_users_out(warehouse: str) -> bool:
    """Return whether rows of erased users are kept out, by digests of their ids."""
    return bool(Warehouse(warehouse).watermarks.digests())


def stored_ids(warehouse: str) -> set[str]:
    """Return all user ids."""
    store = Warehouse(warehouse)
    scans = [scan for table in TABLES if (scan := store.parts(table)) is not None]
    with connect(store.filesystem) as connection:
        query = " UNION ".join(f"SELECT user_id FROM {scan} WHERE user_id != ''" for scan in scans)
        return {user_id for (user_id,) in connection.execute(query).fetchall()} if scans else set()


def rekey(warehouse: str, new: Pseudonyms) -> None:
    """Replace all user ids by those of the last key of `new`, in one commit; a repeat does nothing."""
    store = Warehouse(warehouse)
    # The first ingest takes the key that it is given.
    if store.is_new or store.watermarks.pseudonym_key == new.check:
        return
    with connect(store.filesystem) as connection:
        for table in TABLES:
            for part in store.listed(table):
                scan = store.scan([part])
                query = f"SELECT DISTINCT user_id FROM {scan} WHERE user_id != ''"
                ids = [user_id for (user_id,) in connection.execute(query).fetchall()]
                pseudonyms = pa.table([ids, [new.of_earlier(user_id) for user_id in ids]], _PSEUDONYMS)
                connection.register("pseudonyms", pseudonyms)
                store.rewrite(
                    connection,
                    part,
                    f"""SELECT stored.* REPLACE (coalesce(pseudonym, stored.user_id) AS user_id)
                    FROM {scan} AS stored LEFT JOIN pseudonyms ON stored.user_id = pseudonyms.user_id""",
                )
                connection.unregister("pseudonyms")
    marks = store.watermarks
    marks.retractions = [
        replace(each, conditions=[replace_user_id(text, new.of_earlier) for text in each.conditions])
        for each in marks.retractions
    ]
    marks.pseudonym_key = new.check
    store.commit()
