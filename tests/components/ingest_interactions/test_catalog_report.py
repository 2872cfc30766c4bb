"""A run tells how well items and users fit the interactions."""

from typing import Any

import pytest

DAY = 1_700_000_000
HEADER = "user_id,item_id,timestamp\n"


@pytest.fixture
def told(home: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    """`told(ids, items)` ingests interactions with these item ids, and an items file; returns the output."""

    def call(ids: list[str], items: str) -> str:
        rows = "".join(f"u,{name},{DAY + number}\n" for number, name in enumerate(ids))
        home.ingest(
            interactions_file=home.write("log.csv", HEADER + rows), items_file=home.write("items.csv", items)
        )
        return capsys.readouterr().out

    return call


def test_ids_that_differ_in_padding_case_or_zeros_are_told_with_three_of_each_side(told: Any) -> None:
    ids = ["007", "008", "009", "010", "AB", "x"]
    out = told(ids, "item_id,title\n7,A\n8,B\n9,C\n10,D\nab,E\nx,F\n")
    assert "items: 5 of 6 in the interactions are not in the items table ('007', '008', '009')" in out
    assert (
        "items: 5 of these ids are in the items table with other blanks, case or leading zeros: interactions "
        "have '007', '008', '009', the items table has '7', '8', '9'. They count as different items"
    ) in out


def test_ids_that_match_are_not_told(told: Any) -> None:
    assert "are not in the items table" not in told(["007", "x"], "item_id,title\n007,A\nx,B\n7,C\n")


def test_an_unknown_id_alone_is_no_difference_in_spelling(told: Any) -> None:
    out = told(["y", "x"], "item_id,title\nx,B\nz,C\n")
    assert "items: 1 of 2 in the interactions are not in the items table ('y')" in out
    assert "other blanks" not in out


def test_what_no_item_has_is_told(told: Any) -> None:
    out = told(["x"], "item_id,title,categories\nx,,\n")
    assert "items: no item has title: answers and reasons show ids instead" in out
    assert "items: no item has categories: there are no category filters" in out


def test_users_are_compared_too(home: Any, capsys: pytest.CaptureFixture[str]) -> None:
    home.ingest(
        interactions_file=home.write("log.csv", f"{HEADER}Ann,x,{DAY}\n"),
        users_file=home.write("users.csv", "user_id,age\nann,3\n"),
    )
    assert "users: 1 of these ids are in the users table with other blanks, case" in capsys.readouterr().out


def test_a_catalog_is_updated_alone(home: Any) -> None:
    home.ingest(interactions_file=home.write("log.csv", f"{HEADER}u,x,{DAY}\n"))
    home.ingest(items_file=home.write("items.csv", "item_id,title\nx,New\n"))
    assert home.rows("items")[0]["title"] == "New"
