"""A sheet of a workbook is a table."""

import io
import zipfile
from datetime import datetime
from typing import Any

import pytest

from components.errors import StepError
from tests.components.ingest_interactions.files.workbook_file import ods, workbook, xls

NAMES = ["user", "item", "time", "value", "ok"]
TIME = datetime(2024, 1, 31, 12, 0, 1)
CELLS = [["007", 12, TIME, 3.5, True], ["bob", 13, None, -1, False]]
ROWS = [
    {"user": "007", "item": "12", "time": "2024-01-31T12:00:01", "value": "3.5", "ok": "true"},
    {"user": "bob", "item": "13", "time": None, "value": "-1", "ok": "false"},
]


def test_cells_are_read_as_in_a_csv_file(folder: Any) -> None:
    opened = folder.open("a.xlsx", workbook(Events=[NAMES, *CELLS], Empty=[]))
    assert (opened.description, opened.notes) == ("workbook, sheet Events", [])
    assert folder.read("a.xlsx") == ROWS


@pytest.mark.parametrize(
    ("name", "content"), [("a.xls", xls()), ("a.ods", ods(Events=[NAMES, *CELLS], Empty=[]))]
)
def test_older_and_open_workbooks_have_the_same_cells(folder: Any, name: str, content: bytes) -> None:
    opened = folder.open(name, content)
    assert (opened.description, opened.notes) == ("workbook, sheet Events", [])
    assert folder.read(name) == ROWS


def test_a_binary_workbook_is_refused_with_the_format_to_save_it_in(folder: Any) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/workbook.bin", b"\x83\x01\x00")
    with pytest.raises(StepError, match=r"a.xlsb is a binary workbook \(.xlsb\): save it as .xlsx"):
        folder.open("a.xlsb", buffer.getvalue())


def test_sheets_with_the_same_columns_are_one_table(folder: Any) -> None:
    content = workbook(January=[NAMES, CELLS[0]], February=[NAMES, CELLS[1]])
    assert folder.open("a.xlsx", content).description == "workbook, sheet January, February"
    assert folder.read("a.xlsx") == ROWS


def test_one_of_several_tables_is_chosen_by_the_option(folder: Any) -> None:
    folder.write("a.xlsx", workbook(Data=[NAMES, *CELLS], Notes=[["made up"]]))
    with pytest.raises(StepError, match=r"a.xlsx: the workbook has several tables: Data, Notes.*sheet=NAME"):
        folder.open("a.xlsx")
    assert folder.read("a.xlsx", sheet="Data") == ROWS
    with pytest.raises(StepError, match="no sheet 'data'; the workbook has Data, Notes"):
        folder.open("a.xlsx", sheet="data")


def test_titles_and_empty_cells_around_the_table_are_left_out(folder: Any) -> None:
    rows: list[list[Any]] = [
        ["Sales report"],
        [],
        [None, "user", "item"],
        [],
        [None, "ann", 1],
        [None, "bob", 2],
    ]
    assert folder.read("a.xlsx", workbook(S=rows)) == [
        {"user": "ann", "item": "1"},
        {"user": "bob", "item": "2"},
    ]


def test_row_numbers_without_a_name_are_ignored(folder: Any) -> None:
    assert folder.read("a.xlsx", workbook(S=[[None, "user"], [0, "ann"], [1, "bob"]])) == [
        {"user": "ann"},
        {"user": "bob"},
    ]


def test_a_sheet_without_a_header_has_numbered_columns(folder: Any) -> None:
    opened = folder.open("a.xlsx", workbook(S=CELLS))
    assert (opened.relation.columns[1], opened.rows, opened.has_names) == ("column_1", 2, False)


def test_numbers_that_lost_digits_are_reported(folder: Any) -> None:
    opened = folder.open(
        "a.xlsx", workbook(S=[["user", "item"], ["12345678901234567890", 12345678901234567890]])
    )
    assert opened.relation.fetchall()[0][1:] == ("12345678901234567890", "12345678901234567168")
    assert "numbers above 2^53 have lost digits" in opened.notes[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (workbook(S=[]), "no rows in the workbook"),
        (workbook(S=[NAMES]), "no rows; expected at least one"),
        (workbook(S=[["user", "User"], [1, 2]]), r"columns \['User', 'user'\] more than once"),
        (workbook(S=[NAMES, *CELLS])[:700], "the zip file is damaged or cut short"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "the workbook is damaged or encrypted"),
    ],
)
def test_what_is_no_table_is_refused(folder: Any, content: bytes, message: str) -> None:
    with pytest.raises(StepError, match=rf"a.xlsx: .*{message}"):
        folder.open("a.xlsx", content)
