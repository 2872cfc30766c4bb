"""Erases users from the interaction log, and lists the erased ones."""

import time
from typing import Final

import sqlalchemy as sa

from feature_repo.erased_users import ErasedUsers
from serving.errors import Unavailable
from serving.user_data import erased_users, log_schema, preferences
from serving.user_data.interaction_table import INTERACTIONS, USER_SNAPSHOTS
from serving.user_data.log_connections import LogConnections

# Readers delay the truncation of SQLite's write-ahead log for some milliseconds each.
_SCRUB_S: Final = 10.0


class ErasureStore:
    """Every method raises Unavailable if the database can't be reached."""

    def __init__(self, url: str, timeout_s: float = 5.0) -> None:
        """`timeout_s` limits each wait for a lock and each statement.

        Raises:
            ValueError: the URL is neither sqlite nor postgresql.
        """
        self._database = LogConnections(url, timeout_s, log_schema.create)

    def version(self) -> int:
        """Return a number that grows with each change; 0 before the first erasure."""
        rows = self._database.query("read", erased_users.VERSION, {})
        return int(rows[0][0]) if rows else 0

    def erased(self) -> ErasedUsers:
        with self._database.write("read the erased users") as connection:
            return erased_users.read(connection)

    def erase(self, user_id: str) -> int:
        """Record nothing of the user from now on, and delete interactions and preferences.

        Returns the number of interactions. It is one transaction; a repeat changes nothing.
        """
        with self._database.write("erase a user") as connection:
            log_schema.lock(connection)
            erased_users.add(connection, user_id)
            preferences.remove(connection, user_id)
            connection.execute(sa.delete(USER_SNAPSHOTS).where(USER_SNAPSHOTS.c.user_id == user_id))
            return connection.execute(
                sa.delete(INTERACTIONS).where(INTERACTIONS.c.user_id == user_id)
            ).rowcount

    def allow(self, user_id: str) -> bool:
        """Let interactions of the user be recorded again; returns whether the user was erased."""
        with self._database.write("allow a user again") as connection:
            return erased_users.remove(connection, user_id)

    def scrub(self) -> None:
        """Take deleted rows out of SQLite's write-ahead log; the file itself has none, by secure_delete.

        Raises:
            Unavailable: another process reads or writes without a pause.
        """
        deadline = time.monotonic() + _SCRUB_S
        while not self._database.truncate_wal():
            if time.monotonic() > deadline:
                raise Unavailable("the interaction log is busy: its write-ahead log can't be emptied; retry")
            time.sleep(0.05)

    def close(self) -> None:
        self._database.close()
