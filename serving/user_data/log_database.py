"""Opens the SQL database of the interaction log: SQLite or PostgreSQL."""

from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

# Connections are opened on demand, at most one for each thread that reads or writes.
_POOL: Final[dict[str, Any]] = {"pool_size": 8, "max_overflow": 56}

# Rows of one INSERT. Both drivers keep a prepared statement for each number of rows, of 600 bytes a row: with
# SQLAlchemy's 1,000 rows, recordings of changing sizes take 80 MB in each connection.
_ROWS_PER_INSERT: Final = 50

_OPTIONS: Final = _POOL | {"insertmanyvalues_page_size": _ROWS_PER_INSERT}


def create_engine(url: str, timeout_s: float) -> sa.Engine:
    """Return an engine that is not connected yet; `timeout_s` limits each wait for a lock and each statement.

    Raises:
        ValueError: the URL is neither sqlite nor postgresql.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        backend = parsed.get_backend_name()
        if backend not in ("sqlite", "postgresql"):
            raise ArgumentError(f"{backend} is not supported")
        return _sqlite(parsed, timeout_s) if backend == "sqlite" else _postgresql(parsed, timeout_s)
    except (ArgumentError, NoSuchModuleError) as error:
        raise ValueError(
            "interaction log: expected sqlite:///FILE or postgresql://USER@HOST/DATABASE, "
            f"got a URL that begins with {url.split(':')[0]!r}"
        ) from error


def _postgresql(url: sa.URL, timeout_s: float) -> sa.Engine:
    arguments = {
        "connect_timeout": max(2, round(timeout_s)),
        # The server ends the transaction of a client that has vanished: a mark of a snapshot waits for it.
        "options": f"-c statement_timeout={round(timeout_s * 1000)} "
        "-c idle_in_transaction_session_timeout=60000",
    }
    return sa.create_engine(
        url, pool_pre_ping=True, pool_timeout=timeout_s, connect_args=arguments, **_OPTIONS
    )


def _sqlite(url: sa.URL, timeout_s: float) -> sa.Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, pool_timeout=timeout_s, connect_args={"timeout": timeout_s}, **_OPTIONS)
    sa.event.listen(engine, "connect", _make_durable)
    return engine


def _make_durable(connection: Any, _record: Any) -> None:
    """Use WAL, so that readers do not wait for a writer, and FULL, so that each commit reaches the disk."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")  # a deleted row leaves no bytes
