"""The durable, idempotent log of interactions: what the service records, and what the next run ingests.

SQLite serves every process of one machine, PostgreSQL every machine. `interaction_id` is the primary key,
so a retry changes nothing; `recorded_at` is when the log took the interaction, whatever its own timestamp.
"""

import math
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from feature_repo.contract import IMPRESSION
from feature_repo.interaction import Interaction
from serving.errors import Unavailable
from serving.online_store.sqlite_connections import SqliteConnections

# An interaction may become visible this long after its recorded_at (waiting for a lock, clocks of replicas):
# whoever reads by recorded_at reads this far back and joins by interaction id.
OVERLAP_US: Final = 60_000_000

# SQLite lets a reader wait for nobody but who recovers its file, and no answer can wait long.
_READ_TIMEOUT_S: Final = 0.05

# One connection for each thread that answers, made as they are needed.
_POOL: Final[dict[str, Any]] = {"pool_size": 8, "max_overflow": 56}

_METADATA = sa.MetaData()
INTERACTIONS = sa.Table(
    "interactions",
    _METADATA,
    sa.Column("interaction_id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("item_id", sa.Text, nullable=False),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("timestamp", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Double),
    sa.Column("domain", sa.Text, nullable=False),
    sa.Column("recorded_at", sa.BigInteger, nullable=False),
    sa.Index("interactions_by_user", "user_id", "recorded_at"),
    sa.Index("interactions_by_recorded_at", "recorded_at"),
)
_ROW = [
    INTERACTIONS.c[name]
    for name in ("interaction_id", "user_id", "item_id", "event_type", "timestamp", "value", "domain")
]
# What somebody was shown says nothing of what they want.
_INTEREST = INTERACTIONS.c.event_type != IMPRESSION
_SINCE = sa.select(*_ROW).where(
    INTERACTIONS.c.user_id == sa.bindparam("user"),
    INTERACTIONS.c.recorded_at > sa.bindparam("after"),
    _INTEREST,
)
_SINCE_IN_SQLITE = (
    f"SELECT {', '.join(column.name for column in _ROW)} FROM {INTERACTIONS.name} "
    "WHERE user_id = ? AND recorded_at > ? AND event_type != ?"
)
_DEPTH = (
    sa.select(sa.func.count())
    .select_from(INTERACTIONS)
    .where(INTERACTIONS.c.recorded_at > sa.bindparam("after"), _INTEREST)
)
_SHOWN = sa.select(INTERACTIONS.c.item_id, INTERACTIONS.c.interaction_id).where(
    INTERACTIONS.c.user_id == sa.bindparam("user"),
    INTERACTIONS.c.recorded_at > sa.bindparam("after"),
    INTERACTIONS.c.event_type == IMPRESSION,
)
_EXPORT = (
    sa.select(*_ROW)
    .where(INTERACTIONS.c.recorded_at > sa.bindparam("after"))
    .order_by(INTERACTIONS.c.recorded_at, INTERACTIONS.c.interaction_id)
)


class InteractionLog:
    """A table of interactions in a SQL database; every method raises Unavailable when that can't be reached.

    It connects at first use, so that a database that is down at start is found again without a restart.
    """

    def __init__(self, url: str, timeout_s: float = 5.0) -> None:
        """`timeout_s` bounds each wait for a lock and each statement.

        Raises:
            ValueError: the URL is not one of sqlite or postgresql.
        """
        self._engine = _engine(url, timeout_s)
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        self._insert = insert(INTERACTIONS).on_conflict_do_nothing().returning(INTERACTIONS.c.interaction_id)
        self._created = False
        self._lock = Lock()
        file = self._engine.url.database if self._engine.dialect.name == "sqlite" else None
        self._file = SqliteConnections(Path(file).absolute(), _READ_TIMEOUT_S) if file else None

    @property
    def gives_up_after_s(self) -> float:
        """How long `since` may take at worst; a network may keep it waiting, or making the table."""
        return _READ_TIMEOUT_S if self._file and self._created else math.inf

    def record(self, interactions: Sequence[Interaction]) -> int:
        """Append `interactions`, all or none; durable on return. Returns how many ids were new."""
        if not interactions:
            return 0
        now = time.time_ns() // 1000
        rows = [_values(interaction, now) for interaction in interactions]
        with self._reaching("record"), self._engine.begin() as connection:
            return len(connection.execute(self._insert, rows).all())

    def since(self, user_id: str, recorded_after: int) -> list[Interaction]:
        """The user's interactions recorded after `recorded_after` (µs since the epoch), in no order.

        Impressions are left out.
        """
        with self._reaching("read"):
            if self._file:  # each answer reads here: without SQLAlchemy in a third of the time
                values = (user_id, recorded_after, IMPRESSION)
                return [_interaction(row) for row in self._file.get().execute(_SINCE_IN_SQLITE, values)]
            with self._engine.connect() as connection:
                rows = connection.execute(_SINCE, {"user": user_id, "after": recorded_after}).all()
        return [_interaction(row) for row in rows]

    def shown(self, user_id: str, recorded_after: int) -> list[tuple[str, str]]:
        """Item id and interaction id of each impression recorded after `recorded_after` (µs), in no order."""
        with self._reaching("read"), self._engine.connect() as connection:
            rows = connection.execute(_SHOWN, {"user": user_id, "after": recorded_after}).all()
        return [(item_id, interaction_id) for item_id, interaction_id in rows]

    def depth(self, recorded_after: int) -> int:
        """How many interactions were recorded after `recorded_after` (µs); impressions are left out."""
        with self._reaching("read"), self._engine.connect() as connection:
            return int(connection.execute(_DEPTH, {"after": recorded_after}).scalar_one())

    def export(self, recorded_after: int, batch_size: int = 50_000) -> Iterator[list[Interaction]]:
        """Everything recorded after `recorded_after` (µs), in the order of recording, in batches."""
        with self._reaching("export"), self._engine.connect() as connection:
            stream = connection.execution_options(yield_per=batch_size)
            for rows in stream.execute(_EXPORT, {"after": recorded_after}).partitions():
                yield [_interaction(row) for row in rows]

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _reaching(self, act: str) -> Iterator[None]:
        try:
            self._create()
            yield
        except (DBAPIError, PoolTimeout, sqlite3.Error, OSError) as error:
            self._created = False  # the next call looks again: the file may have been removed
            if isinstance(error, OSError):
                self._engine.dispose()
            cause = error.orig if isinstance(error, DBAPIError) else error
            raise Unavailable(
                f"interaction log {self._engine.url.render_as_string()} can't {act}: {cause}; "
                "check that the database is up, writable and not locked, then retry"
            ) from error

    def _create(self) -> None:
        if self._created:
            return
        with self._lock:
            try:
                _METADATA.create_all(self._engine)
            except DBAPIError:  # another process may have created it between the check and the create
                _METADATA.create_all(self._engine)
            self._created = True


def _engine(url: str, timeout_s: float) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        backend = parsed.get_backend_name()
        if backend not in ("sqlite", "postgresql"):
            raise ArgumentError(f"{backend} is not supported")
        if backend == "postgresql":
            return sa.create_engine(
                parsed,
                pool_pre_ping=True,
                pool_timeout=timeout_s,
                **_POOL,
                connect_args={
                    "connect_timeout": max(2, round(timeout_s)),
                    "options": f"-c statement_timeout={round(timeout_s * 1000)}",
                },
            )
    except (ArgumentError, NoSuchModuleError) as error:
        raise ValueError(
            "interaction log: expected sqlite:///FILE or postgresql://USER@HOST/DATABASE, "
            f"got one that begins {url.split(':')[0]!r}"
        ) from error
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, connect_args={"timeout": timeout_s}, pool_timeout=timeout_s, **_POOL)
    sa.event.listen(engine, "connect", _durable)
    return engine


def _durable(connection: Any, _record: Any) -> None:
    """WAL lets readers go on beside a writer; FULL syncs each commit, so a power cut loses nothing either."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _values(interaction: Interaction, recorded_at: int) -> dict[str, Any]:
    return {
        "interaction_id": interaction.interaction_id,
        "user_id": interaction.user_id,
        "item_id": interaction.item_id,
        "event_type": interaction.event_type,
        "timestamp": interaction.timestamp,
        "value": None if math.isnan(interaction.value) else interaction.value,
        "domain": interaction.domain,
        "recorded_at": recorded_at,
    }


def _interaction(row: Sequence[Any]) -> Interaction:
    interaction_id, user_id, item_id, event_type, timestamp, value, domain = row
    return Interaction(
        interaction_id,
        user_id,
        item_id,
        event_type,
        timestamp,
        math.nan if value is None else value,
        domain,
    )
