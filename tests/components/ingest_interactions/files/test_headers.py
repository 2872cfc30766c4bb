"""The header of a text file is found, or is missing and that is reported."""

from typing import Any

import pytest

from components.errors import StepError


@pytest.mark.parametrize(
    "text",
    [
        "ann,tea,1700000000\nbob,milk,1700000001\n",
        "1,2014-04-07T10:51:09.277Z,214536502\n1,2014-04-07T10:54:09.868Z,214536500\n",
        "u1,i1,click\nu2,i2,view\nu3,i3,click\n",
        "u1,f1b1cf71-bd35-4e99-8624-24a6e15f133a,x\nu2,a7f7df4a-77d8-4f12-8acd-5c60c93f4de8,y\n",
        'u1,i1,"{""a"": 1}"\nu2,i2,"{""a"": 2}"\n',
        "u1,11/11/2019 9:05:58 AM,x\nu2,11/12/2019 6:11:30 PM,y\n",
    ],
)
def test_values_in_line_1_are_no_header(folder: Any, text: str) -> None:
    opened = folder.open("a.csv", text)
    assert opened.relation.columns == ["source_row", "column_1", "column_2", "column_3"]
    assert (opened.rows, opened.has_names) == (text.count("\n"), False)
    assert "no header: line 1 has values" in opened.notes[0]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("user_id,item_id\nann,tea\n", ["user_id", "item_id"]),
        (" user_id , item_id \nann,tea\n", ["user_id", "item_id"]),
        ("\ufeffuser_id,item_id\nann,tea\n", ["user_id", "item_id"]),
        ("user_id:token\titem_id:token\nann\ttea\n", ["user_id:token", "item_id:token"]),
        ("Customer ID,Stock-Code (new)\nann,tea\n", ["Customer ID", "Stock-Code (new)"]),
        ("Пользователь,商品\nann,tea\n", ["Пользователь", "商品"]),
        ("\n\nuser_id,item_id\nann,tea\n", ["user_id", "item_id"]),
        ("#user_id\titem_id\nann\ttea\n", ["user_id", "item_id"]),
        ("# a comment\n# user_id\titem_id\nann\ttea\n", ["user_id", "item_id"]),
        ("# exported\n# 2024-01-31\nuser_id,item_id\nann,tea\n", ["user_id", "item_id"]),
        ("Sales report\nFrom January\n\nuser_id,item_id\nann,tea\n", ["user_id", "item_id"]),
        ("user_id,item_id,\nann,tea,\n", ["user_id", "item_id"]),
        ("user_id,item_id\nann,tea,\n", ["user_id", "item_id"]),
        ('"user\nid",item_id\nann,tea\n', ["user\nid", "item_id"]),
    ],
)
def test_header_is_read(folder: Any, text: str, names: list[str]) -> None:
    opened = folder.open("a.txt", text)
    assert opened.relation.columns[1:] == names
    assert opened.relation.fetchall() == [(1, "ann", "tea")]
    assert opened.has_names


def test_lines_above_the_table_are_reported(folder: Any) -> None:
    opened = folder.open("a.csv", "Sales report\nFrom January\n\nuser_id,item_id\nann,tea\nbob,tea\n")
    assert opened.notes == ["2 lines above the table left out: 'Sales report'"]


@pytest.mark.parametrize(
    "text",
    [
        ",user_id,item_id\n0,ann,tea\n1,bob,milk\n",
        "Unnamed: 0,user_id,item_id\n0,ann,tea\n1,bob,milk\n",
        # R writes no name for the row numbers.
        '"user_id","item_id"\n"1","ann","tea"\n"2","bob","milk"\n',
        "#,user_id,item_id\n1,ann,tea\n2,bob,milk\n",
        "user_id item_id\n1 ann tea\n2 bob milk\n",
    ],
)
def test_row_numbers_without_a_name_are_ignored_and_reported(folder: Any, text: str) -> None:
    opened = folder.open("a.csv", text)
    assert opened.relation.columns == ["source_row", "user_id", "item_id"]
    assert "the first column has row numbers and no name: ignored" in opened.notes


@pytest.mark.parametrize("text", [",0,1,2\n0,ann,tea,x\n1,bob,milk,y\n", "0,1,2\nann,tea,x\nbob,milk,y\n"])
def test_the_numbers_that_pandas_writes_are_no_names(folder: Any, text: str) -> None:
    opened = folder.open("a.csv", text)
    assert opened.relation.fetchall() == [(1, "ann", "tea", "x"), (2, "bob", "milk", "y")]
    assert not opened.has_names


def test_numbers_that_may_be_a_row_are_a_row(folder: Any) -> None:
    assert folder.open("a.csv", "0,1,2\n1,1,3\n2,4,5\n").rows == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user_id,item_id,Item_ID\na,b,c\n", r"columns \['Item_ID', 'item_id'\] more than once"),
        ("user_id,,item_id\na,b,c\n", "a column without a name"),
        (",item_id,time\nann,b,c\n", "a column without a name"),
    ],
)
def test_repeated_and_missing_names_are_refused(folder: Any, text: str, message: str) -> None:
    with pytest.raises(StepError, match=rf"a.csv: the header line has {message}.*--reading header=false"):
        folder.open("a.csv", text)


def test_a_header_that_does_not_fit_the_rows_is_refused(folder: Any) -> None:
    with pytest.raises(StepError, match=r"a.csv: the header has 2 names, the rows have 3 cells"):
        folder.open("a.csv", "user_id,item_id\nann,tea,x\nbob,milk,y\n")


def test_the_option_wins_over_the_detection(folder: Any) -> None:
    assert folder.open("a.csv", "ann,tea\nbob,milk\n", header=False).rows == 2
    opened = folder.open("a.csv", "1,2\nbob,milk\n", header=True)
    assert (opened.relation.columns[1:], opened.notes) == (["1", "2"], [])


def test_a_single_column_is_read_and_reported(folder: Any) -> None:
    opened = folder.open("a.csv", "item_id\ntea\nmilk\n")
    assert opened.relation.fetchall() == [(1, "tea"), (2, "milk")]
    assert "one column: neither comma, semicolon" in opened.notes[0]


def test_a_column_of_row_numbers_does_not_replace_the_own_ones(folder: Any) -> None:
    opened = folder.open("a.csv", "source_row,user_id\n7,ann\n8,bob\n")
    assert opened.relation.fetchall() == [(1, "ann"), (2, "bob")]
    assert "column source_row: ignored" in opened.notes[0]


@pytest.mark.parametrize("text", ["user_id,item_id", "user_id,item_id\n", "# only\n#user_id,item_id\n"])
def test_a_header_without_rows_is_refused(folder: Any, text: str) -> None:
    with pytest.raises(StepError, match=r"a.csv: no rows after the header"):
        folder.open("a.csv", text)


def test_quotes_above_the_table_do_not_hide_rows(folder: Any) -> None:
    text = 'A "report\nof sales\nuser_id,title\nann,"a, b"\nbob,"c"\n'
    assert folder.read("a.csv", text) == [
        {"user_id": "ann", "title": "a, b"},
        {"user_id": "bob", "title": "c"},
    ]


def test_headers_among_the_rows_are_left_out_and_reported(folder: Any) -> None:
    opened = folder.open("a.csv", "user_id,item_id\nann,tea\n" * 3 + ",tea\n")
    assert opened.relation.fetchall() == [
        (1, "ann", "tea"),
        (2, "ann", "tea"),
        (3, "ann", "tea"),
        (4, None, "tea"),
    ]
    assert opened.rows == 4
    assert opened.notes == ["the header is there 2 more times: left out"]


def test_ids_that_begin_with_a_number_sign_are_no_comments(folder: Any) -> None:
    assert folder.open("a.csv", "#a1,#b1,3\n#a2,#b2,4\n").rows == 2
    assert folder.read("b.csv", "user,item\n#1,tea\n")[0] == {"user": "#1", "item": "tea"}
