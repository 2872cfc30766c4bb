"""Detects writes to a SQLite file, so that values read from it can be cached until the next write."""

import sqlite3
from threading import Lock

from serving.online_store.sqlite_connections import SqliteConnection


class SqliteChangeCounter:
    """Counts changes of a SQLite file; a check takes a tenth of the time of a read.

    `PRAGMA data_version` changes within one connection when another connection commits. Values of two
    connections cannot be compared, so all threads share one connection.
    """

    def __init__(self, connection: SqliteConnection) -> None:
        """`connection` must not be used elsewhere: writes of its own are not counted."""
        self._connection, self._lock = connection, Lock()
        self._version: tuple[sqlite3.Connection, int] | None = None
        self._changes = 0

    def changes(self) -> int:
        """Return a number that grows with each detected change; equal numbers mean no write in between.

        Raises:
            OSError, sqlite3.Error: the file is missing or cannot be read.
        """
        with self._lock:
            connection = self._connection.get()
            version = connection, connection.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                self._version = version
                self._changes += 1
            return self._changes
