"""Connections to one SQLite file for many threads that read it."""

import sqlite3
import threading
from pathlib import Path
from typing import Final

# Of pages for each connection; the operating system keeps them all, once for all threads.
_CACHE_KIB: Final = 256


class SqliteConnections:
    """One for each thread, opened anew once another file stands at the path."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        """`timeout_s`: how long a read waits for a lock before it fails."""
        self._path, self._timeout_s, self._local = path, timeout_s, threading.local()

    def get(self) -> sqlite3.Connection:
        """This thread's.

        Raises:
            OSError: there is no such file.
        """
        file, local = self._path.stat(), self._local
        identity = (file.st_dev, file.st_ino)
        if getattr(local, "identity", None) != identity:
            local.connection = sqlite3.connect(f"{self._path.as_uri()}?mode=rw", self._timeout_s, uri=True)
            local.connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            local.identity = identity
        connection: sqlite3.Connection = local.connection
        return connection
