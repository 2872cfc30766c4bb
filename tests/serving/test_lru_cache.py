"""What is kept between two requests, and when it no longer holds."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serving.lru_cache import LruCache
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


def test_what_was_used_longest_ago_makes_room() -> None:
    recent = LruCache[str, int](2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert [recent.get(key) for key in "abc"] == [1, None, 3]


def test_a_file_is_unchanged_until_somebody_writes(file: Path) -> None:
    unchanged = SqliteChangeCounter(SqliteConnection(file, 1.0))
    before = unchanged.changes()
    assert unchanged.changes() == before
    write(file)
    assert unchanged.changes() != before


def test_what_is_written_is_a_change_to_every_thread_and_a_new_thread_is_none(file: Path) -> None:
    unchanged = SqliteChangeCounter(SqliteConnection(file, 1.0))
    before = unchanged.changes()
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: unchanged.changes(), range(100))) == {before}
        write(file)
        assert set(pool.map(lambda _: unchanged.changes(), range(100))) == {before + 1}


def test_a_file_in_the_place_of_another_is_a_change(file: Path, tmp_path: Path) -> None:
    unchanged = SqliteChangeCounter(SqliteConnection(file, 1.0))
    before = unchanged.changes()
    sqlite3.connect(tmp_path / "new.db").close()
    (tmp_path / "new.db").touch()
    (tmp_path / "new.db").replace(file)
    assert unchanged.changes() != before


def test_a_file_that_is_gone_is_an_error(file: Path) -> None:
    unchanged = SqliteChangeCounter(SqliteConnection(file, 1.0))
    unchanged.changes()
    file.unlink()
    with pytest.raises(OSError, match="No such file"):
        unchanged.changes()
