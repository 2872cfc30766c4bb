"""Ids stay what they are; blanks, words for missing values and floats are told."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest


@pytest.fixture
def ids(conformed: Any) -> Any:
    """`ids(cells)` returns the user ids of a column of cells."""

    def call(cells: Any) -> list[str | None]:
        columns = {"user_id": cells, "item_id": ["i"] * len(cells), "timestamp": [1_700_000_000] * len(cells)}
        return [row["user_id"] for row in conformed(columns)]

    return call


@pytest.mark.parametrize(
    "cell",
    [
        "007",
        "18446744073709551615",
        "Ann",
        "ANN",
        "1e5",
        "0x10",
        "1.50",
        "none",
        "a b",
        "-1",
        "01234567890123456789",
    ],
)
def test_a_text_stays_what_it_is(ids: Any, cell: str) -> None:
    assert ids([cell]) == [cell]


def test_blanks_around_an_id_are_removed_and_told(ids: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert ids([" ann", "ann\t", "\u00a0ann ", "a nn"]) == ["ann", "ann", "ann", "a nn"]
    told = capsys.readouterr().out
    assert "log.csv: 3 cells of user_id: blanks around the text are removed, as in row 1: 'ann'" in told


@pytest.mark.parametrize(
    "cell", ["NULL", "nan", "NaN", "None", r"\N", "(not set)", "undefined", "<NA>", "", " "]
)
def test_a_word_for_a_missing_value_is_missing(ids: Any, cell: str) -> None:
    assert ids(["ann", cell]) == ["ann", None]


def test_missing_values_are_told(ids: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ids(["ann", "NULL", r"\N"])
    told = capsys.readouterr().out
    assert "2 cells of user_id: a word for a missing value, read as empty, as in row 2: 'NULL'" in told


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (pa.array([7.0, 8.0, None]), ["7", "8", None]),
        (pa.array([7.0, float("nan")]), ["7", None]),
        (pa.array([7.5]), ["7.5"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([-5], pa.int8()), ["-5"]),
        (pa.array([Decimal("12.00"), Decimal("13.50")]), ["12", "13.50"]),
        (pa.array([Decimal(2**64)], pa.decimal128(38, 0)), [str(2**64)]),
        (pa.array(["x", "y"]).dictionary_encode(), ["x", "y"]),
        (pa.array([b"x1"]), ["x1"]),
        (pa.array(["9.0", "10.0"]), ["9", "10"]),
        (pa.array(["9.0", "10"]), ["9.0", "10"]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_whole_numbers_have_no_fraction(ids: Any, cells: pa.Array, expected: list[str | None]) -> None:
    assert ids(cells) == expected


def test_a_float_that_lost_digits_is_told(ids: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ids(pa.array([float(2**53 + 2), 5.0]))
    told = capsys.readouterr().out
    assert "1 cell of user_id: a float above 2^53, whose last digits are lost" in told
    ids(pa.array([float(2**53), 5.0]))
    assert "2^53" not in capsys.readouterr().out
