"""Whether anybody has written to a SQLite file: what was read of it holds until then."""

import threading
from threading import Lock

from feature_repo.sqlite_connections import SqliteConnections


class Unchanged:
    """Counts the times that a file was seen changed; asking takes a tenth of the time of reading.

    `PRAGMA data_version` gives a connection another number once another connection has committed, and the
    numbers of two connections don't compare: whichever thread's connection sees a change first, counts it.
    """

    def __init__(self, connections: SqliteConnections) -> None:
        self._connections, self._local = connections, threading.local()
        self._changes, self._lock = 0, Lock()

    def changes(self) -> int:
        """Two equal numbers mean that nobody had written between the two calls.

        Raises:
            OSError, sqlite3.Error: there is no such file, or it can't be read.
        """
        connection = self._connections.get()
        seen = (connection, connection.execute("PRAGMA data_version").fetchone()[0])
        if getattr(self._local, "seen", None) != seen:
            self._local.seen = seen
            with self._lock:
                self._changes += 1
        return self._changes
