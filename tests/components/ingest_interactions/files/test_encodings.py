"""The encoding and the line ends of a text file are found in its bytes."""

from typing import Any

import pytest

from components.errors import StepError

TEXT = "user_id,title\n1,Café Müller\n2,naïve\n3,garçon\n"
TITLES = ["Café Müller", "naïve", "garçon"]


@pytest.mark.parametrize(
    ("content", "label"),
    [
        (TEXT.encode("utf-8"), "CSV separated by ','"),
        (TEXT.encode("utf-8-sig"), "CSV separated by ','"),
        (TEXT.encode("utf-16"), "CSV separated by ',', UTF-16 LE"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "CSV separated by ',', UTF-16 BE"),
        (TEXT.encode("utf-16-le"), "CSV separated by ',', UTF-16 LE"),
        (TEXT.encode("utf-16-be"), "CSV separated by ',', UTF-16 BE"),
        (TEXT.encode("utf-32"), "CSV separated by ',', UTF-32"),
        (TEXT.encode("latin-1"), "CSV separated by ',', Windows-1252"),
        (TEXT.encode("cp1252"), "CSV separated by ',', Windows-1252"),
        (TEXT.replace("\n", "\r\n").encode("utf-16"), "CSV separated by ',', UTF-16 LE"),
    ],
)
def test_encoding_is_detected(folder: Any, content: bytes, label: str) -> None:
    opened = folder.open("a.csv", content)
    assert opened.description == label
    assert opened.relation.columns == ["source_row", "user_id", "title"]
    assert [row[2] for row in opened.relation.fetchall()] == TITLES
    assert bool(opened.notes) == ("Windows-1252" in label)


def test_typographic_marks_are_windows_1252(folder: Any) -> None:
    content = "id,title\n1,It’s “quoted” – €5\n2,Café\n".encode("cp1252")
    assert folder.read("a.csv", content)[0]["title"] == "It’s “quoted” – €5"


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("id,title\n1,Привет мир\n2,Кино\n", "cp1251"),
        ("id,title\n1,日本語\n2,映画\n", "shift_jis"),
        ("id,title\n1,中文电影\n2,音乐\n", "gb18030"),
        ("id,title\n1,Café créme\n2,fenêtre\n", "cp850"),
    ],
)
def test_other_encodings_are_asked_for_and_then_read(folder: Any, text: str, codec: str) -> None:
    with pytest.raises(
        StepError, match=r"a.csv: line 2 has the bytes .* neither UTF-8 nor.*--reading encoding="
    ):
        folder.open("a.csv", text.encode(codec))
    expected = text.split("\n")[1].split(",")[1]
    assert folder.read("a.csv", encoding=codec)[0]["title"] == expected


def test_damaged_bytes_of_a_utf8_file_are_counted_and_reported(folder: Any) -> None:
    content = (TEXT + "4,é\n" * 50).encode() + b"4,caf\xc3\n5,\xff\n"
    opened = folder.open("a.csv", content)
    assert opened.notes == ["not valid UTF-8: 2 bytes, each read as U+FFFD (\ufffd)"]
    assert [row[2] for row in opened.relation.fetchall()][-2:] == ["caf\ufffd", "\ufffd"]


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        (TEXT.encode(), "klingon", "unknown encoding 'klingon'"),
        (TEXT.encode(), "ascii", r"not ascii \('ascii' codec can't decode byte 0xc3"),
        (b"a,b\n1,2\n", "utf-16", "not utf-16"),
    ],
)
def test_a_wrong_option_is_refused(folder: Any, content: bytes, encoding: str, message: str) -> None:
    with pytest.raises(StepError, match=rf"a.csv: {message}"):
        folder.open("a.csv", content, encoding=encoding)


@pytest.mark.parametrize(
    "text",
    [
        "user,item\nann,tea\nbob,milk\n",
        "user,item\r\nann,tea\r\nbob,milk\r\n",
        "user,item\rann,tea\rbob,milk\r",
        "user,item\r\nann,tea\nbob,milk\r\n",
        "user,item\r\r\nann,tea\r\r\nbob,milk\r\r\n",
        "user,item\nann,tea\nbob,milk",
        "user,item\n\nann,tea\n\n\nbob,milk\n\n",
    ],
)
def test_all_line_ends_are_read(folder: Any, text: str) -> None:
    assert folder.read("a.csv", text) == [{"user": "ann", "item": "tea"}, {"user": "bob", "item": "milk"}]


def test_a_carriage_return_inside_a_cell_is_a_blank(folder: Any) -> None:
    assert folder.read("a.csv", "user,item\nann,te\ra\n") == [{"user": "ann", "item": "te a"}]
