"""Read connections to a SQLite file: one for each thread, reopened when the file is replaced."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from serving.online_store.sqlite_connections import LOCK_TIMEOUT_S, SqliteConnections
from tests.patience import HANG_S


def write(file: Path, number: int) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE numbers (number INTEGER)")
        connection.execute("INSERT INTO numbers VALUES (?)", (number,))


def read(connections: SqliteConnections) -> int:
    number: int = connections.get().execute("SELECT number FROM numbers").fetchone()[0]
    return number


def test_each_thread_has_its_own_connection(tmp_path: Path) -> None:
    write(tmp_path / "a.db", 1)
    connections, barrier = SqliteConnections(tmp_path / "a.db"), Barrier(3)

    def get(_: int) -> tuple[int, int]:
        barrier.wait(HANG_S)
        return id(connections.get()), id(connections.get())

    with ThreadPoolExecutor(3) as pool:
        pairs = list(pool.map(get, range(3)))
        assert all(first == second for first, second in pairs)
        assert len({first for first, _ in pairs}) == 3


def test_a_replaced_file_is_opened(tmp_path: Path) -> None:
    write(tmp_path / "a.db", 1)
    write(tmp_path / "b.db", 2)
    connections = SqliteConnections(tmp_path / "a.db")
    assert read(connections) == 1
    (tmp_path / "b.db").replace(tmp_path / "a.db")
    assert read(connections) == 2


def test_a_missing_file_is_an_error_and_is_not_created(tmp_path: Path) -> None:
    connections = SqliteConnections(tmp_path / "none.db")
    with pytest.raises(FileNotFoundError, match=r"none\.db"):
        connections.get()
    assert not list(tmp_path.iterdir())


def test_a_read_fails_after_the_lock_timeout(tmp_path: Path) -> None:
    write(tmp_path / "a.db", 1)
    connections = SqliteConnections(tmp_path / "a.db")
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            read(connections)
        writer.rollback()
    assert read(connections) == 1
    (busy_timeout_ms,) = connections.get().execute("PRAGMA busy_timeout").fetchone()
    assert busy_timeout_ms == 1000 * LOCK_TIMEOUT_S
