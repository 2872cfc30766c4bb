"""Connections to one SQLite file that is read."""

import sqlite3
import threading
from pathlib import Path
from typing import Final

# Of pages for each connection; the operating system keeps them all, once for all threads.
_CACHE_KIB: Final = 256


class SqliteConnection:
    """One, for one thread at a time, opened anew once another file stands at the path."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        """`timeout_s`: how long a read waits for a lock before it fails."""
        self._path, self._timeout_s = path, timeout_s
        self._file: tuple[int, int] | None = None
        self._connection: sqlite3.Connection | None = None

    def get(self) -> sqlite3.Connection:
        """Open, to the file that stands there now.

        Raises:
            OSError: there is no such file.
        """
        status = self._path.stat()
        file = status.st_dev, status.st_ino
        if self._connection is None or self._file != file:
            uri = f"{self._path.as_uri()}?mode=rw"
            self._connection = sqlite3.connect(uri, self._timeout_s, uri=True, check_same_thread=False)
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._file = file
        return self._connection


class SqliteConnections:
    """One for each thread."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        """Arguments as a SqliteConnection takes them."""
        self._path, self._timeout_s, self._local = path, timeout_s, threading.local()

    def get(self) -> sqlite3.Connection:
        """This thread's; raises as SqliteConnection.get does."""
        mine: SqliteConnection | None = getattr(self._local, "mine", None)
        if mine is None:
            mine = self._local.mine = SqliteConnection(self._path, self._timeout_s)
        return mine.get()
