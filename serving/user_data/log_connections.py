"""Connections to the SQL database of the interaction log, whose errors become Unavailable."""

import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from serving.errors import Unavailable
from serving.online_store.sqlite_connections import LOCK_TIMEOUT_S, SqliteConnections
from serving.user_data import log_statements
from serving.user_data.log_database import create_engine
from serving.user_data.log_file import Identity, LogFile

# SQLite's message after the wait for another writer, which says nothing about the file.
_LOCKED: Final = "database is locked"

_for_sqlite3: Final = cache(log_statements.for_sqlite3)


class LogConnections:
    """Connects at the first call, so that a database that is down at the start is used once it is up.

    Every method raises Unavailable if the database can't be reached. Reads and writes have connections of
    their own, so that reads do not wait for a connection while writes wait for a lock.
    """

    def __init__(self, url: str, timeout_s: float, create_tables: Callable[[sa.Engine], None]) -> None:
        """`timeout_s` limits each wait for a lock and each statement.

        `create_tables` creates what is missing; another process may do so at the same time.

        Raises:
            ValueError: the URL is neither sqlite nor postgresql.
        """
        self._create_tables, self._lock = create_tables, Lock()
        self._reads, self._writes = create_engine(url, timeout_s), create_engine(url, timeout_s)
        self.dialect = self._reads.dialect.name
        file = self._reads.url.database if self.dialect == "sqlite" else None
        self._file = LogFile(Path(file).absolute() if file and file != ":memory:" else None)
        self._connections = SqliteConnections(self._file.path) if self._file.path else None

    @property
    def max_read_s(self) -> float:
        """The longest time that `read` can take; infinite for PostgreSQL, and before the table exists."""
        return LOCK_TIMEOUT_S if self._connections and self._file.is_open else math.inf

    def read(self, statement: sa.Select[Any], parameters: dict[str, Any]) -> Sequence[Any]:
        """Return rows for an answer: with SQLite quickly, or not at all."""
        if self._connections is None:
            return self.query("read", statement, parameters)
        with self._available("read"):  # SQLAlchemy takes three times as long
            return self._connections.get().execute(_for_sqlite3(statement), parameters).fetchall()

    def query(self, action: str, statement: sa.Select[Any], parameters: dict[str, Any]) -> Sequence[Any]:
        """Return rows; `action` names what an error says can't be done."""
        with self._available(action), self._reads.connect() as connection:
            return connection.execute(statement, parameters).all()

    def open(self) -> None:
        """Connect, and create what is missing."""
        with self._available("be opened"):
            pass

    @contextmanager
    def write(self, action: str) -> Iterator[sa.Connection]:
        """Yield a connection with a transaction, which is committed at the end of the block.

        Raises:
            Unavailable: the file was deleted or replaced before the commit, too.
        """
        with self._available(action, create=True) as file:
            with self._writes.begin() as connection:
                yield connection
            self._file.check(file)  # after the commit

    def truncate_wal(self) -> bool:
        """Empty SQLite's write-ahead log; returns False if another connection uses it, True elsewhere."""
        if self.dialect != "sqlite":
            return True
        with self._available("be scrubbed"), self._writes.connect() as connection:
            busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            return not busy

    def close(self) -> None:
        self._reads.dispose()
        self._writes.dispose()

    @contextmanager
    def _available(self, action: str, create: bool = False) -> Iterator[Identity | None]:
        """Yield the identity of the open file; make database errors Unavailable."""
        try:
            if (create and self._file.is_replaced) or not self._file.is_open:
                self._open()
            yield self._file.opened
        except (DBAPIError, PoolTimeout, sqlite3.Error, OSError) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            if _LOCKED not in str(cause):
                self._file.is_open = False  # it may have been removed: check again at the next call
            if isinstance(error, OSError):
                self.close()
            raise Unavailable(
                f"interaction log {self._reads.url.render_as_string()} can't {action}: {cause}; "
                "check that the database is up, writable and not locked, then retry"
            ) from error

    def _open(self) -> None:
        """Create what is missing in the file or database that is there now."""
        with self._lock:
            if self._file.is_open and not self._file.is_replaced:
                return
            if self._file.is_replaced:
                self.close()  # connections to the file that was removed
            try:
                self._create_tables(self._writes)
            except DBAPIError:  # another process created the table between the check and the statement
                self._create_tables(self._writes)
            self._file.open()
