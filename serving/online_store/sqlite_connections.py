"""Read connections to one SQLite file."""

import sqlite3
import threading
from pathlib import Path
from typing import Final

# Longest wait for a lock. In WAL mode a reader waits only while another process recovers the file.
LOCK_TIMEOUT_S: Final = 0.05

# Page cache of each connection; the operating system caches the file once for all of them.
_CACHE_KIB: Final = 256


class SqliteConnection:
    """A connection for one thread at a time, reopened when the file at the path has been replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None
        self._connection: sqlite3.Connection | None = None

    def get(self) -> sqlite3.Connection:
        """Return an open connection to the file that is at the path now.

        Raises:
            OSError: the file is missing.
        """
        status = self._path.stat()
        file = status.st_dev, status.st_ino
        if self._connection is None or self._file != file:
            uri = f"{self._path.as_uri()}?mode=rw"
            self._connection = sqlite3.connect(uri, LOCK_TIMEOUT_S, uri=True, check_same_thread=False)
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._file = file
        return self._connection


class SqliteConnections:
    """One SqliteConnection for each thread."""

    def __init__(self, path: Path) -> None:
        self._path, self._local = path, threading.local()

    def get(self) -> sqlite3.Connection:
        """Return the connection of the calling thread; raises as SqliteConnection.get does."""
        own: SqliteConnection | None = getattr(self._local, "own", None)
        if own is None:
            own = self._local.own = SqliteConnection(self._path)
        return own.get()
