"""Lines that are no row are counted and shown, and too many of them stop the step."""

from typing import Any

import pytest

from components.errors import StepError

HEADER = "user,item,time\n"
ROWS = "a,b,1\n" * 100


@pytest.mark.parametrize(
    ("line", "example"),
    [
        ("a,b\n", "line 102: 2 cells: 'a,b'"),
        ("a,b,1,2\n", "line 102: 4 cells: 'a,b,1,2'"),
        ("(100 rows affected)\n", "line 102: 1 cell: '(100 rows affected)'"),
        (f"a,{'x' * 2_100_000},1\n", "line 102: longer than 2 MB: 'a,xxx"),
    ],
)
def test_a_line_is_reported_with_its_number(folder: Any, line: str, example: str) -> None:
    opened = folder.open("a.csv", HEADER + ROWS + line + ROWS)
    assert opened.rows == 200
    (note,) = opened.notes
    assert note.startswith("1 of 201 lines can't be read as a row of 3 cells, and are left out: " + example)


def test_line_breaks_in_cells_count_for_line_numbers(folder: Any) -> None:
    opened = folder.open("a.csv", HEADER + 'a,"b\n\nb, c",1\n' + ROWS + "a,b\n")
    assert opened.rows == 101
    assert "line 105: 2 cells" in opened.notes[0]


def test_several_errors_of_one_line_are_one(folder: Any) -> None:
    opened = folder.open("a.csv", HEADER + ROWS + "a,b,1,2,3,4,5\na\n")
    assert "2 of 102 lines" in opened.notes[0]


def test_lines_after_an_open_quote_are_counted(folder: Any) -> None:
    quoted = 'a,"b, c",1\n' * 100
    opened = folder.open("a.csv", f'{HEADER}{quoted}a,"open,2\na,b,1\na,"b, c",3\n{quoted}')
    assert opened.rows == 200
    assert "3 of 203 lines" in opened.notes[0]
    assert "line 102: a quote is not closed before the next separator" in opened.notes[0]


def test_too_many_lines_stop_the_step(folder: Any) -> None:
    with pytest.raises(StepError) as error:
        folder.open("a.csv", HEADER + "a,b,1\na,b\n" * 10)
    assert str(error.value).startswith(
        "a.csv: 10 of 20 lines can't be read as a row of 3 cells: line 3: 2 cells: 'a,b'; line 5: 2 cells: "
        "'a,b'; line 7: 2 cells: 'a,b'. Correct them"
    )


def test_whole_lines_inside_a_cell_are_reported(folder: Any) -> None:
    quoted = 'a,"b, c",1\n' * 60
    opened = folder.open("a.csv", f'{HEADER}{ROWS}a,"open,2\na,b,1\nb,mid",3\n{quoted}')
    assert opened.rows == 161
    assert opened.notes == [
        "1 cell with what looks like 2 whole lines, "
        "the first one in row 101 ('open,2\\na,b,1\\nb,mid'): a quote is "
        "missing there, or is one too many"
    ]


def test_many_swallowed_lines_stop_the_step(folder: Any) -> None:
    swallowed = 'a,"open,2\n' + "a,b,1\n" * 29 + 'b,mid",3\n'
    with pytest.raises(StepError, match=r"looks like 30 whole lines.*close the quote"):
        folder.open("a.csv", HEADER + ROWS + swallowed + 'a,"b, c",1\n' * 9)


def test_long_texts_with_line_breaks_are_not_reported(folder: Any) -> None:
    text = 'user,text,time\na,"one, two\nthree\nfour, five, six, seven",1\nb,"x",2\n'
    assert folder.open("a.csv", text).notes == []


def test_lines_of_part_files_are_reported_with_their_file(folder: Any) -> None:
    folder.write("parts/0.csv", HEADER + ROWS)
    folder.write("parts/1.csv", HEADER + ROWS + "a\n")
    assert "1.csv, line 102: 1 cell: 'a'" in folder.open("parts").notes[0]
