"""Parquet, Arrow and ORC files keep the types of their columns."""

import gzip
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from components.errors import StepError

MOMENT = datetime(2024, 1, 31, 12, 0, tzinfo=UTC)


def parquet(columns: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array(["a", "b"]).dictionary_encode(), "a"),
        (pa.array([Decimal("1.50"), None]), Decimal("1.50")),
        (pa.array([{"x": 1, "y": {"z": "q"}}, None]), {"x": 1, "y": {"z": "q"}}),
        (pa.array([[{"item": "x"}], []]), [{"item": "x"}]),
        (pa.array([1.0, None]), 1.0),
        (pa.array([2**64 - 1, 1], pa.uint64()), 2**64 - 1),
        (pa.array([MOMENT, None], pa.timestamp("ns", "Europe/London")), MOMENT),
        (pa.array([date(2024, 1, 31), None]), date(2024, 1, 31)),
        (pa.array([True, None]), True),
        (pa.array(["a", "b"], pa.large_string()), "a"),
        (pa.array(["a", "b"], pa.string_view()), "a"),
        (pa.nulls(2), None),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_parquet_types(folder: Any, values: pa.Array, expected: Any) -> None:
    assert folder.read("a.parquet", parquet({"column": values}))[0]["column"] == expected


def test_binary_columns_with_text_are_text(folder: Any) -> None:
    content = parquet({"user": [b"ann", "Café".encode(), None], "image": [b"\xff\xfe", b"x", None]})
    assert folder.read("a.parquet", content)[:2] == [
        {"user": "ann", "image": b"\xff\xfe"},
        {"user": "Café", "image": b"x"},
    ]


@pytest.mark.parametrize("column", ["file_row_number", "File_Row_Number"])
def test_a_column_with_the_name_of_the_readers_row_numbers_is_kept(folder: Any, column: str) -> None:
    content = parquet({"user": ["ann", "bob"], column: [7, 8]})
    assert folder.read("a.parquet", content) == [{"user": "ann", column: 7}, {"user": "bob", column: 8}]


def test_the_index_of_pandas_is_ignored_and_reported(folder: Any) -> None:
    pd.DataFrame({"user": ["ann", "bob"]}, index=["x", "y"]).to_parquet(folder.path / "a.parquet")
    opened = folder.open("a.parquet")
    assert opened.relation.fetchall() == [(1, "ann"), (2, "bob")]
    assert opened.notes == ["columns without meaning are ignored: __index_level_0__"]


def test_nullable_and_categorical_columns_of_pandas(folder: Any) -> None:
    frame = pd.DataFrame({"user": pd.Categorical(["u", "v"]), "item": pd.array([1, None], dtype="Int64")})
    frame.to_parquet(folder.path / "a.parquet")
    assert folder.read("a.parquet") == [{"user": "u", "item": 1}, {"user": "v", "item": None}]


@pytest.mark.parametrize("kind", ["Arrow", "Feather", "ORC"])
def test_other_formats(folder: Any, kind: str) -> None:
    table, path = pa.table({"user": ["ann", "bob"], "item": [1, 2]}), str(folder.path / "a.data")
    if kind == "Arrow":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    elif kind == "Feather":
        feather.write_feather(table, path)
    else:
        orc.write_table(table, path)
    assert folder.read("a.data") == [{"user": "ann", "item": 1}, {"user": "bob", "item": 2}]


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("a.csv", parquet({"user": ["ann"]}), "a.csv is Parquet, not delimited text as its name says"),
        ("a.parquet", b"user,item\nann,x\n", "a.parquet is delimited text, not Parquet as its name says"),
        ("a.csv", b'{"user":"ann"}\n', "a.csv is JSON, not delimited text as its name says"),
        ("a.xlsx", b"user,item\nann,x\n", "a.xlsx is delimited text, not a workbook as its name says"),
    ],
)
def test_a_name_that_is_wrong_is_reported(folder: Any, name: str, content: bytes, note: str) -> None:
    opened = folder.open(name, content)
    assert opened.relation.fetchall()[0][:2] == (1, "ann")
    assert opened.notes == [f"{note}: read as what it is"]


def test_a_compressed_parquet_file_is_unpacked(folder: Any) -> None:
    assert folder.read("a.parquet.gz", gzip.compress(parquet({"user": ["ann"]}))) == [{"user": "ann"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (parquet({"user": ["ann"] * 1000})[:-100], "damaged or cut short .*again"),
        (parquet({"user": pa.array([], pa.string())}), "no rows; expected at least one"),
        (b"PAR1" + bytes(50), "damaged or cut short"),
    ],
)
def test_a_damaged_or_empty_file_is_refused(folder: Any, content: bytes, message: str) -> None:
    with pytest.raises(StepError, match=rf"a.parquet: {message}"):
        folder.open("a.parquet", content)


@pytest.mark.parametrize("name", ["p[1].parquet", "p*.parquet", "p?.parquet", "it's \\[1] é #%20.parquet"])
def test_a_name_with_characters_of_a_pattern_is_that_file(folder: Any, name: str) -> None:
    for other in ("p1.parquet", "px.parquet"):
        folder.write(other, parquet({"user": ["wrong"]}))
    assert Path(folder.path / name).name == name
    assert folder.read(name, parquet({"user": ["right"]})) == [{"user": "right"}]


@pytest.mark.parametrize("kind", ["Arrow", "ORC"])
def test_other_formats_that_are_cut_short_are_refused(folder: Any, kind: str) -> None:
    table, path = pa.table({"user": [f"user {n}" for n in range(5000)]}), folder.path / "a.data"
    if kind == "Arrow":
        feather.write_feather(table, str(path))
    else:
        orc.write_table(table, str(path))
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(StepError, match=r"a.data: damaged or cut short"):
        folder.open("a.data")
