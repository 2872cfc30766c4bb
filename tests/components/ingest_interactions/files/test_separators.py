"""The separator, the quotes and the escape of a text file are found in its lines."""

from typing import Any

import pytest

from components.errors import StepError
from components.ingest_interactions.files import separators


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "user,item\nann,tea\nbob,milk\n", "CSV separated by ','"),
        ("a.csv", "user;item\nann;tea\nbob;milk\n", "text separated by ';'"),
        ("a.txt", "user\titem\nann\ttea\nbob\tmilk\n", "TSV separated by tabs, without quotes"),
        ("a.csv", "user|item\nann|tea\nbob|milk\n", "text separated by '|', without quotes"),
        ("a.dat", "user::item\nann::tea\nbob::milk\n", "text separated by '::', without quotes"),
        ("a.txt", "user item\nann tea\nbob milk\n", "text separated by blanks, without quotes"),
        ("a.txt", "user   item\nann  tea\nbob  milk\n", "text separated by runs of blanks, without quotes"),
        ("a", "user\x01item\nann\x01tea\nbob\x01milk\n", "the character 0x01, without quotes"),
        ("a.csv", "sep=;\nuser;item\nann;tea\nbob;milk\n", "text separated by ';'"),
        ("a.csv", "user\titem\nann\ttea\nbob\tmilk\n", "TSV separated by tabs, without quotes"),
    ],
)
def test_separator_is_detected(folder: Any, name: str, text: str, words: str) -> None:
    opened = folder.open(name, text)
    assert opened.description.endswith(words)
    assert opened.relation.project("* EXCLUDE source_row").fetchall() == [("ann", "tea"), ("bob", "milk")]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        # Another separator is in every line too.
        ("a.csv", "user;value\n1;2,5\n2;3,5\n", ["user", "value"]),
        ("a.csv", "user,genres\n1,a|b\n2,c|d\n", ["user", "genres"]),
        ("a.csv", "user,time\n1,2024-01-31 12:00:00\n2,2024-01-31 12:00:01\n", ["user", "time"]),
        ("a.tsv", "user\ttags\n1\ta,b,c\n2\td,e,f\n", ["user", "tags"]),
        ("a.csv", 'user,title\n1,"a;b;c"\n2,"d;e;f"\n', ["user", "title"]),
        ("a.csv", "item,title\n1,\n2,\n", ["item", "title"]),
    ],
)
def test_separator_is_not_confused_by_text(folder: Any, name: str, text: str, expected: list[str]) -> None:
    assert folder.open(name, text).relation.columns[1:] == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('"a\tb"', "a\tb"),
        ('"say ""hi"""', 'say "hi"'),
        ('"two\nlines"', "two\nlines"),
    ],
)
def test_quotes_of_a_tsv_are_read_where_a_cell_needs_them(folder: Any, cell: str, expected: str) -> None:
    text = f"user\ttitle\n1\t{cell}\n2\tplain\n3\tplain\n"
    assert folder.read("a.tsv", text)[0]["title"] == expected


@pytest.mark.parametrize("title", ['"Weird Al" Yankovic', '12" single', '"Heroes"', '"open', 'end"', '"'])
@pytest.mark.parametrize("separator", ["\t", "::", "|"])
def test_lone_quotes_are_text_in_files_without_quotes(folder: Any, title: str, separator: str) -> None:
    lines = [["id", "title", "year"], ["1", title, "1999"], ["2", "other", "2000"]]
    text = "".join(separator.join(line) + "\n" for line in lines)
    assert [row["title"] for row in folder.read("a.txt", text)] == [title, "other"]


def test_a_lone_quote_far_down_in_a_tsv_is_text(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separators, "SAMPLE_BYTES", 1000)
    text = "id\ttitle\n" + "1\tplain\n" * 500 + '2\t"open\n' + "3\tplain\n" * 500
    titles = [row["title"] for row in folder.read("a.tsv", text)]
    assert (len(titles), titles[500]) == (1001, '"open')


def test_quotes_far_down_in_a_tsv_are_read(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separators, "SAMPLE_BYTES", 1000)
    text = "id\ttitle\n" + "1\tplain\n" * 500 + '2\t"a\tb"\n' + "3\tplain\n" * 500
    assert folder.read("a.tsv", text)[500]["title"] == "a\tb"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('id,title\n1,"a, b"\n2,c\n', ["a, b", "c"]),
        ('id, title\n1, "a, b"\n2, "c"\n', ["a, b", "c"]),
        ('"id","title"\n"1","a"\n"2","b"\n', ["a", "b"]),
        ('id,title\n1,"say \\"hi\\", you"\n2,"x"\n', ['say "hi", you', "x"]),
        ("id,title\n1,'a, b'\n2,'c'\n", ["a, b", "c"]),
        ("id,title\n1,'n Sync\n2,Rock 'n' Roll\n", ["'n Sync", "Rock 'n' Roll"]),
        ('id,title\n1,5" pipe\n2,"a, b"\n', ['5" pipe', "a, b"]),
        ('id,title\n1,"Heroes" and villains\n2,x\n', ['"Heroes" and villains', "x"]),
        ('id,title\n1,""\n2,x\n', [None, "x"]),
    ],
)
def test_quotes_of_a_csv_are_detected(folder: Any, text: str, expected: list[str]) -> None:
    assert [row["title"] for row in folder.read("a.csv", text)] == expected


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("id~title\n1~a\n", {"delimiter": "~"}, {"id": "1", "title": "a"}),
        ("id,title;x\n1,a;b\n", {"delimiter": ";"}, {"id,title": "1,a", "x": "b"}),
        ('id,title\n1,"a"\n', {"quote": ""}, {"id": "1", "title": '"a"'}),
        ("id,title\n1,'a,b'\n", {"quote": "'"}, {"id": "1", "title": "a,b"}),
        ("id title\n1    a\n", {"delimiter": "blanks"}, {"id": "1", "title": "a"}),
    ],
)
def test_options_win_over_detection(
    folder: Any, text: str, options: dict[str, str], expected: dict[str, str]
) -> None:
    assert folder.read("a.csv", text, **options) == [expected]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ";"}, r"a.csv: --reading delimiter=; separates no line; the first one is 'user,item'"),
        ({"delimiter": "12345"}, r"delimiter '12345': expected one to four characters"),
    ],
)
def test_a_wrong_separator_is_refused(folder: Any, options: dict[str, str], message: str) -> None:
    with pytest.raises(StepError, match=message):
        folder.open("a.csv", "user,item\nann,tea\n", **options)


@pytest.mark.parametrize(
    ("text", "options", "values"),
    [
        ("id;value\na;3,5\nb;4\nc;\n", {}, ["3.5", "4", None]),
        ("id;value\na;1.234,75\nb;-2,5\n", {}, ["1234.75", "-2.5"]),
        ('id,value\na,"3,5"\nb,"4,25"\n', {"decimal": ","}, ["3.5", "4.25"]),
    ],
)
def test_decimal_commas_become_points_and_are_reported(
    folder: Any, text: str, options: dict[str, str], values: list[str | None]
) -> None:
    opened = folder.open("a.csv", text, **options)
    assert [row[-1] for row in opened.relation.fetchall()] == values
    assert opened.notes == ["decimal commas in value: read as decimal points"]


@pytest.mark.parametrize(
    ("text", "options", "values"),
    [
        ("id\tvalue\na\t1,234.50\nb\t12\n", {}, ["1234.50", "12"]),
        ('id,value\na,"1,234,567"\nb,-2.5\n', {}, ["1234567", "-2.5"]),
        ("id;value\na;1,234\nb;5\n", {"decimal": "."}, ["1234", "5"]),
    ],
)
def test_commas_between_thousands_are_left_out_and_reported(
    folder: Any, text: str, options: dict[str, str], values: list[str]
) -> None:
    opened = folder.open("a.csv", text, **options)
    assert [row[-1] for row in opened.relation.fetchall()] == values
    assert opened.notes == ["commas between thousands in value: left out"]


def test_a_comma_that_may_be_either_stays_and_is_reported(folder: Any) -> None:
    opened = folder.open("a.csv", "id;value\na;1,234\nb;12,500\n")
    assert [row[-1] for row in opened.relation.fetchall()] == ["1,234", "12,500"]
    assert "value: a comma before three digits may be a decimal mark or not" in opened.notes[0]
    assert folder.read("a.csv", decimal=",")[0]["value"] == "1.234"


@pytest.mark.parametrize(
    ("text", "options", "values"),
    [
        ("id;value\na;3,5\n", {"decimal": "."}, ["3,5"]),
        ('id,value\na,"1,234"\nb,"12,500"\n', {}, ["1,234", "12,500"]),
        ('id,value\na,"3,5"\nb,"4,25"\n', {}, ["3,5", "4,25"]),
        ("id;value\na;1,2,3\nb;4\n", {}, ["1,2,3", "4"]),
        ("id;value\na;31.01.2024\nb;01.02.2024\n", {}, ["31.01.2024", "01.02.2024"]),
    ],
)
def test_other_commas_and_points_stay(
    folder: Any, text: str, options: dict[str, str], values: list[str]
) -> None:
    opened = folder.open("a.csv", text, **options)
    assert [row[-1] for row in opened.relation.fetchall()] == values
    assert not opened.notes
