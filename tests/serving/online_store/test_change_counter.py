"""The change counter of a SQLite file: writes, threads, and a replaced or missing file."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serving.online_store.change_counter import SqliteChangeCounter
from serving.online_store.sqlite_connections import SqliteConnection


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "store.db") as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE numbers (number INTEGER)")
    return tmp_path / "store.db"


def write(file: Path) -> None:
    writer = sqlite3.connect(file)
    writer.execute("INSERT INTO numbers VALUES (1)")
    writer.commit()
    writer.close()


def test_the_count_grows_with_a_write(file: Path) -> None:
    counter = SqliteChangeCounter(SqliteConnection(file))
    before = counter.changes()
    assert counter.changes() == before
    write(file)
    assert counter.changes() != before


def test_all_threads_see_the_same_count(file: Path) -> None:
    counter = SqliteChangeCounter(SqliteConnection(file))
    before = counter.changes()
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: counter.changes(), range(100))) == {before}
        write(file)
        assert set(pool.map(lambda _: counter.changes(), range(100))) == {before + 1}


def test_the_count_grows_when_the_file_is_replaced(file: Path, tmp_path: Path) -> None:
    counter = SqliteChangeCounter(SqliteConnection(file))
    before = counter.changes()
    sqlite3.connect(tmp_path / "new.db").close()
    (tmp_path / "new.db").touch()
    (tmp_path / "new.db").replace(file)
    assert counter.changes() != before


def test_a_missing_file_is_an_error(file: Path) -> None:
    counter = SqliteChangeCounter(SqliteConnection(file))
    counter.changes()
    file.unlink()
    with pytest.raises(OSError, match="No such file"):
        counter.changes()
