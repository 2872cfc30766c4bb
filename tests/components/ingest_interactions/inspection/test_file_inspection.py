"""Inspecting a file says what a run would understand, and writes nothing."""

from pathlib import Path
from typing import Any

import pytest

from components.errors import StepError
from components.ingest_interactions.inspection import file_inspection
from components.ingest_interactions.inspection.file_inspection import Inspection, inspect

DAY = 1_700_000_000


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(text: str, name: str = "log.csv") -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def events(found: Inspection) -> dict[str, tuple[int, str]]:
    return {event.name: (event.rows, event.meaning) for event in found.event_types}


def test_interactions_are_described(file: Any) -> None:
    path = file(
        "visitor;thing;when;what\n"
        f" ann;tea;{DAY};Add-To-Cart\nann;milk;{DAY};view\nann;milk;{DAY};view\nbob;tea;{DAY + 86_400};boop\n"
    )
    found = inspect("interactions", path, {"columns": {"thing": "item_id", "what": "event_type"}})
    assert (found.name, found.rows, found.one_in) == ("log.csv", 4, 1)
    assert found.container == "text separated by ';'"
    assert (
        "columns: visitor → user_id, thing → item_id, when → timestamp, what → event_type" in found.understood
    )
    assert "timestamp (when) read as epoch seconds" in found.understood
    assert found.first_rows[0]["user_id"] == "ann"
    assert found.figures["users"] == "2"
    assert found.figures["duplicates"].startswith("1:")
    assert found.figures["time"] == "2023-11-14 22:13:20 to 2023-11-15 22:13:20 UTC, 1.0 days"
    assert events(found) == {
        "view": (2, "positive"),
        "cart": (1, "positive"),
        "boop": (1, "unknown: --positive boop, --negative boop, --neutral boop or --exposure boop"),
    }
    blanks = "1 cell of user_id (visitor): blanks around the text are removed, as in row 1: 'ann'"
    assert found.problems == [blanks]


def test_what_would_be_set_aside_or_stop_a_run_is_listed(file: Any) -> None:
    path = file(
        "user_id,item_id,timestamp,rating\n"
        f"ann,tea,{DAY},5\n,milk,{DAY},4\nann,milk,,3\nann,cake,99999999999,good\n"
    )
    found = inspect("interactions", path, {})
    assert [problem.partition(":")[2].strip() for problem in found.problems if "set aside" in problem] == [
        "user_id is missing, first in row 2",
        "the timestamp is missing, first in row 3",
        "the timestamp is in the future, first in row 4",
    ]
    assert "row 4: value (rating) is 'good'; expected a number. Rows with this problem: 1" in found.problems
    assert found.figures["ratings"] == "from 3 to 5, mean 4.00"


def test_items_are_described_with_what_they_lack(file: Any) -> None:
    path = file("id,name,genres\n1,Tea,\n2,Milk,\n2,Milk,\n,None,\n", "items.csv")
    found = inspect("items", path, {})
    assert found.figures["items"] == "2"
    assert found.figures["title"] == "75% have one; 2 different"
    assert found.figures["repeated"].startswith("1:")
    assert found.problems[-2:] == [
        "1 row without item_id: a run stops at the first one",
        "no item has categories: category filters, diversity and reasons by category are off",
    ]


def test_a_file_of_items_given_as_interactions_is_told(file: Any) -> None:
    with pytest.raises(StepError, match="Its columns may be those of items: add --as items"):
        inspect("interactions", file("movieId,title,genres\n1,Tea,hot\n"), {})


def test_a_large_file_is_described_by_some_of_its_users(file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_inspection, "WHOLE_ROWS", 1000)
    monkeypatch.setattr(file_inspection, "SAMPLE_ROWS", 500)
    rows = "".join(f"u{n % 400},i{n % 7},{DAY + n},view\n" * 2 for n in range(4000))
    found = inspect("interactions", file("user_id,item_id,timestamp,event_type\n" + rows), {})
    assert (found.rows, found.one_in) == (8000, 16)
    users = int(found.figures["users"].removeprefix("about "))
    assert 200 <= users <= 700
    assert found.figures["interactions of a user"] == "median 20, at most 20"
    duplicates = int(found.figures["duplicates"].partition(":")[0].removeprefix("about ").replace(",", ""))
    assert duplicates == users * 10, "each row of the sampled users stands twice in the file"
    assert found.figures["items"] == "at least 7"
    assert found.first_rows[0]["source_row"] == 1


def test_nothing_is_written(file: Any, tmp_path: Path) -> None:
    inspect("interactions", file(f"user_id,item_id,timestamp\na,b,{DAY}\n"), {})
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]
