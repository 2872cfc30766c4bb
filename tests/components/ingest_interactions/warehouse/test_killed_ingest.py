"""A command that is killed between any two writes leaves the warehouse as it was, or as it should become.

The same command, given again, then leads to its end.
"""

import shutil
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from components.errors import StepError
from components.ingest_interactions.duckdb_session import connect
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.retraction import retract, undo
from tests.fault_points import count_writes, kill_at_write

DAY = 1_700_000_000
ROWS = f"user_id,item_id,timestamp\nann,tea,{DAY}\nann,milk,{DAY + 5}\nbob,tea,{DAY + 1}\n"


@pytest.fixture
def home(home: Any) -> Any:
    """A home with one source, of which a row was withdrawn; and a copy of its warehouse."""
    home.ingest(interactions_file=home.write("log.csv", ROWS))
    retract(str(home.warehouse), "", ["user_id=bob"])
    shutil.copytree(home.warehouse, home.root / "copy")
    return home


def walk(home: Any, action: Callable[[], object]) -> int:
    """Kill the action at each of its writes, and repeat it; return the number of writes."""
    restore(home)
    old = items(home)
    restore(home)
    writes = count_writes(home.warehouse, action)
    new, parts = items(home), number_of_parts(home)
    for number in range(1, writes + 1):
        restore(home)
        kill_at_write(home.warehouse, number, action)
        assert items(home) in (old, new), f"killed at write {number} of {writes}"
        action()
        assert items(home) == new, f"killed at write {number} of {writes}"
        assert number_of_parts(home) == parts, f"killed at write {number} of {writes}"
    return writes


def restore(home: Any) -> None:
    shutil.rmtree(home.warehouse)
    shutil.copytree(home.root / "copy", home.warehouse)


def items(home: Any) -> list[str]:
    """Return the rows that the next snapshot has."""
    store = Warehouse(str(home.warehouse))
    with connect(store.filesystem) as connection:
        query = f"SELECT user_id || ' ' || item_id FROM {store.rows('interactions')} ORDER BY \"timestamp\""
        return [row for (row,) in connection.execute(query).fetchall()]


def number_of_parts(home: Any) -> int:
    """Return the number of parts on the disk after the next ingest, which deletes withdrawn ones."""
    home.ingest()
    return len(list(home.warehouse.rglob("*.parquet")))


def test_an_ingest_of_a_further_file_is_whole(home: Any) -> None:
    file = home.write("second.csv", f"user_id,item_id,timestamp\nann,bread,{DAY + 9}\n")
    assert walk(home, lambda: home.ingest(interactions_file=file)) > 2
    assert (items(home), number_of_parts(home)) == (["ann tea", "ann milk", "ann bread"], 2)


def test_an_ingest_of_a_corrected_file_is_whole(home: Any) -> None:
    file = home.write("log.csv", ROWS.replace("milk", "cake"))
    assert walk(home, lambda: home.ingest(interactions_file=file)) > 2
    assert (items(home), number_of_parts(home)) == (["ann tea", "ann cake"], 1)


def test_a_retraction_is_whole(home: Any) -> None:
    def withdraw() -> None:
        with suppress(StepError):  # "no interaction meets", where the killed one had come to its end
            retract(str(home.warehouse), "", ["item_id=tea"])

    assert walk(home, withdraw) > 2
    assert (items(home), number_of_parts(home)) == (["ann milk"], 1)


def test_an_undone_retraction_is_whole(home: Any) -> None:
    def take_back() -> None:
        with suppress(StepError):  # "can't be taken back", where the killed one had come to its end
            undo(str(home.warehouse), 1)

    assert walk(home, take_back) >= 1
    home.ingest(interactions_file=str(home.root / "log.csv"))
    assert items(home) == ["ann tea", "bob tea", "ann milk"]
