"""The durable, idempotent log of interactions: the service writes it, the next pipeline run ingests it.

SQLite serves the processes of one machine, PostgreSQL several machines. `interaction_id` is unique, so that
a retry changes nothing. The database numbers the interactions in the order of their recording, and keeps up
to which number a snapshot of the features has them: no clock decides what an answer or a run reads.
"""

import math
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from feature_repo.interaction import Interaction
from serving.errors import Unavailable
from serving.online_store.sqlite_connections import LOCK_TIMEOUT_S, SqliteConnections
from serving.user_data import log_schema, log_statements
from serving.user_data.interaction_table import INTERACTIONS, from_row, to_row
from serving.user_data.log_database import create_engine
from serving.user_data.log_file import LogFile
from serving.user_data.log_snapshots import mark
from serving.user_data.recorded_content import check_content

# SQLite's message after the wait for another writer, which says nothing about the file.
_LOCKED: Final = "database is locked"

_for_sqlite3: Final = cache(log_statements.for_sqlite3)


class InteractionLog:
    """A table of interactions in a SQL database.

    Connects at the first call, so that a database that is down at the start is used once it is up. Every
    method raises Unavailable if the database can't be reached. Reads and writes have connections of their
    own, so that reads do not wait for a connection while writes wait for a lock.
    """

    def __init__(self, url: str, timeout_s: float = 5.0) -> None:
        """`timeout_s` limits each wait for a lock and each statement.

        Raises:
            ValueError: the URL is neither sqlite nor postgresql.
        """
        self._reads, self._writes = create_engine(url, timeout_s), create_engine(url, timeout_s)
        dialect = self._reads.dialect.name
        self._insert = (
            log_statements.insert(dialect, INTERACTIONS)
            .on_conflict_do_nothing()
            .returning(INTERACTIONS.c.interaction_id)
        )
        self._lock = Lock()
        file = self._reads.url.database if dialect == "sqlite" else None
        self._file = LogFile(Path(file).absolute() if file and file != ":memory:" else None)
        self._connections = SqliteConnections(self._file.path) if self._file.path else None

    @property
    def max_read_s(self) -> float:
        """The longest time that `since` can take; infinite for PostgreSQL, and before the table exists."""
        return LOCK_TIMEOUT_S if self._connections and self._file.is_open else math.inf

    def record(self, interactions: Sequence[Interaction], without_time: Collection[str] = ()) -> int:
        """Append all `interactions` or none, durably; returns the number of new ids.

        An id that the log has is no error if its interaction has the same content. `without_time`: ids of
        interactions whose timestamp the service set: a retry has another one.

        Raises:
            AlreadyExists: an id is that of another interaction, in the log or among `interactions`.
        """
        if not interactions:
            return 0
        # One order for all writers: transactions that wait for each other's ids in two orders would deadlock.
        rows = [to_row(interaction) for interaction in sorted(interactions, key=lambda i: i.interaction_id)]
        with self._available("record", create=True) as file, self._writes.begin() as connection:
            new = connection.execute(self._insert, rows).all()
            if len(new) < len(rows):
                check_content(connection, interactions, without_time)
        self._file.check(file)  # after the commit
        return len(new)

    def since(self, user_id: str, as_of: int) -> list[Interaction]:
        """Return a user's interactions that the snapshot as of `as_of` (µs) lacks; 0 for all of the user.

        At most MAX_HISTORY + 1, the last recorded ones, without impressions: with more than MAX_HISTORY,
        `newest` and `new_items` have the others.
        """
        rows = self._read(log_statements.SINCE, {"user": user_id, "as_of": as_of})
        return [from_row(row) for row in rows]

    def since_ids(self, user_id: str, as_of: int) -> str:
        """Return the ids of `since`, one a line, at a tenth of its cost."""
        return str(self._read(log_statements.SINCE_IDS, {"user": user_id, "as_of": as_of})[0][0] or "")

    def newest(self, user_id: str, as_of: int) -> list[Interaction]:
        """Return those of a user's MAX_HISTORY newest interactions, by timestamp, that the snapshot lacks."""
        rows = self._read(log_statements.NEWEST, {"user": user_id, "as_of": as_of})
        return [from_row(row) for row in rows]

    def new_items(self, user_id: str, as_of: int) -> list[str]:
        """Return the items of the last MAX_HISTORY + MAX_SEEN_BEFORE interactions that the snapshot lacks.

        One more shows that there are others. Last recorded ones first, without impressions.
        """
        rows = self._read(log_statements.NEW_ITEMS, {"user": user_id, "as_of": as_of})
        return [item_id for (item_id,) in rows]

    def impressions(
        self, user_id: str, recorded_after: int, without_prefix: str = "\n"
    ) -> list[tuple[str, int]]:
        """Return (item id, number of impressions) of a user since `recorded_after` (µs).

        Of the newest log_statements.MAX_IMPRESSIONS, without ids that begin with `without_prefix`.
        """
        parameters = {"user": user_id, "after": recorded_after, "prefix": without_prefix}
        return [(item_id, count) for item_id, count in self._read(log_statements.IMPRESSIONS, parameters)]

    def depth(self, as_of: int) -> int:
        """Count the interactions that the snapshot as of `as_of` (µs) lacks, without impressions."""
        return int(self._query("read", log_statements.DEPTH, {"as_of": as_of})[0][0])

    def mark(self, as_of: int) -> int:
        """Return the position up to which a snapshot as of `as_of` (µs) has everything, and keep it.

        Everything up to it is committed, and what is committed later has a higher position.
        """
        with self._available("mark a snapshot", create=True), self._writes.begin() as connection:
            return mark(connection, as_of)

    def position(self, as_of: int) -> int | None:
        """Return the position of an earlier `mark`; None if this log has none of that time."""
        rows = self._query("read", log_statements.POSITION, {"as_of": as_of})
        return int(rows[0][0]) if rows else None

    def export(self, after: int, until: int, batch_size: int = 50_000) -> Iterator[list[Interaction]]:
        """Yield batches of everything at positions above `after` up to `until`, in this order."""
        parameters = {"after": after, "until": until, "batch_size": batch_size}
        while rows := self._query("export", log_statements.EXPORT, parameters):
            yield [from_row(row[1:]) for row in rows]
            parameters["after"] = rows[-1][0]

    def close(self) -> None:
        self._reads.dispose()
        self._writes.dispose()

    def _read(self, statement: sa.Select[Any], parameters: dict[str, Any]) -> Sequence[Any]:
        """Return rows for an answer: with SQLite quickly, or not at all."""
        if self._connections is None:
            return self._query("read", statement, parameters)
        with self._available("read"):  # SQLAlchemy takes three times as long
            return self._connections.get().execute(_for_sqlite3(statement), parameters).fetchall()

    def _query(self, action: str, statement: sa.Select[Any], parameters: dict[str, Any]) -> Sequence[Any]:
        with self._available(action), self._reads.connect() as connection:
            return connection.execute(statement, parameters).all()

    @contextmanager
    def _available(self, action: str, create: bool = False) -> Iterator[tuple[int, int] | None]:
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
                log_schema.create(self._writes)
            except DBAPIError:  # another process created the table between the check and the statement
                log_schema.create(self._writes)
            self._file.open()
