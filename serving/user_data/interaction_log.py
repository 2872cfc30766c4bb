"""The durable, idempotent log of interactions: the service writes it, the next pipeline run ingests it.

SQLite serves the processes of one machine, PostgreSQL several machines. `interaction_id` is the primary key,
so that a retry changes nothing. `recorded_at` is the time of the write; `timestamp` comes from the client.
"""

import math
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from feature_repo.event_types import IMPRESSION
from feature_repo.interaction import Interaction
from serving.errors import Unavailable
from serving.online_store.sqlite_connections import LOCK_TIMEOUT_S, SqliteConnections
from serving.user_data.interaction_table import (
    DEPTH,
    EXPORT,
    IMPRESSIONS,
    INTERACTIONS,
    METADATA,
    SINCE,
    SINCE_SQLITE,
    from_row,
    to_row,
)
from serving.user_data.log_database import create_engine

# An interaction can become visible this long after its recorded_at: writers wait for locks, and the clocks of
# replicas differ. A reader of recent interactions reads this much further back and removes duplicates by id.
MAX_VISIBILITY_DELAY_US: Final = 60_000_000


class InteractionLog:
    """A table of interactions in a SQL database.

    Connects at the first call, so that a database that is down at the start is used once it is up. Every
    method raises Unavailable if the database can't be reached.
    """

    def __init__(self, url: str, timeout_s: float = 5.0) -> None:
        """`timeout_s` limits each wait for a lock and each statement.

        Raises:
            ValueError: the URL is neither sqlite nor postgresql.
        """
        self._engine = create_engine(url, timeout_s)
        dialect = self._engine.dialect.name
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        self._insert = insert(INTERACTIONS).on_conflict_do_nothing().returning(INTERACTIONS.c.interaction_id)
        self._created = False
        self._lock = Lock()
        file = self._engine.url.database if dialect == "sqlite" else None
        self._connections = SqliteConnections(Path(file).absolute()) if file else None

    @property
    def max_read_s(self) -> float:
        """The longest time that `since` can take; infinite for PostgreSQL, and before the table exists."""
        return LOCK_TIMEOUT_S if self._connections and self._created else math.inf

    def record(self, interactions: Sequence[Interaction]) -> int:
        """Append all `interactions` or none, durably; returns the number of new ids."""
        if not interactions:
            return 0
        now = time.time_ns() // 1000
        rows = [to_row(interaction, now) for interaction in interactions]
        with self._available("record"), self._engine.begin() as connection:
            return len(connection.execute(self._insert, rows).all())

    def since(self, user_id: str, recorded_after: int) -> list[Interaction]:
        """Return a user's interactions recorded after `recorded_after` (µs since the epoch).

        Without impressions, in no defined order.
        """
        with self._available("read"):
            if self._connections:  # every request reads the log, and SQLAlchemy takes three times as long
                parameters = (user_id, recorded_after, IMPRESSION)
                return [from_row(row) for row in self._connections.get().execute(SINCE_SQLITE, parameters)]
            with self._engine.connect() as connection:
                rows = connection.execute(SINCE, {"user": user_id, "after": recorded_after}).all()
        return [from_row(row) for row in rows]

    def impressions(self, user_id: str, recorded_after: int) -> list[tuple[str, str]]:
        """Return (item id, interaction id) of a user's impressions recorded after `recorded_after` (µs)."""
        with self._available("read"), self._engine.connect() as connection:
            rows = connection.execute(IMPRESSIONS, {"user": user_id, "after": recorded_after}).all()
        return [(item_id, interaction_id) for item_id, interaction_id in rows]

    def depth(self, recorded_after: int) -> int:
        """Count the interactions of all users recorded after `recorded_after` (µs), without impressions."""
        with self._available("read"), self._engine.connect() as connection:
            return int(connection.execute(DEPTH, {"after": recorded_after}).scalar_one())

    def export(self, recorded_after: int, batch_size: int = 50_000) -> Iterator[list[Interaction]]:
        """Yield batches of everything recorded after `recorded_after` (µs), in the order of recording."""
        with self._available("export"), self._engine.connect() as connection:
            stream = connection.execution_options(yield_per=batch_size)
            for rows in stream.execute(EXPORT, {"after": recorded_after}).partitions():
                yield [from_row(row) for row in rows]

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _available(self, action: str) -> Iterator[None]:
        try:
            self._create()
            yield
        except (DBAPIError, PoolTimeout, sqlite3.Error, OSError) as error:
            self._created = False  # the file may have been removed: check again at the next call
            if isinstance(error, OSError):
                self._engine.dispose()
            cause = error.orig if isinstance(error, DBAPIError) else error
            raise Unavailable(
                f"interaction log {self._engine.url.render_as_string()} can't {action}: {cause}; "
                "check that the database is up, writable and not locked, then retry"
            ) from error

    def _create(self) -> None:
        if self._created:
            return
        with self._lock:
            try:
                METADATA.create_all(self._engine)
            except DBAPIError:  # another process created the table between the check and the statement
                METADATA.create_all(self._engine)
            self._created = True
