"""Dates such as 02/03/2024: decides from all dates of the column whether the day or the month comes first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from components.errors import StepError
from components.ingest_interactions.times.text_patterns import NUMERIC, TWO_DIGIT_YEAR
from components.ingest_interactions.times.text_sql import parts
from components.ingest_interactions.times.time_column import Cell, TimeColumn


@dataclass(frozen=True)
class DateOrder:
    """`words` says the order and the reason for it."""

    day_first: bool
    words: str


@dataclass(frozen=True)
class Evidence:
    """A cell whose first number can only be a day, one whose second number can, and whether all have dots."""

    first: Cell | None
    second: Cell | None
    all_dots: bool


def decide(
    column: TimeColumn, text: str, sample: Sequence[tuple[Cell, re.Match[str]]], stated: bool | None
) -> DateOrder:
    """Return the order of day and month.

    A number above 12 is a day. If no date has one, dates with dots have the day first, the usual order with
    dots; other dates need the option.

    Args:
        text: SQL for the text of a cell.
        sample: the first dates, with their matches; the whole column is read only if they don't decide.
        stated: --day-first (True) or --month-first (False).

    Raises:
        StepError: the dates are ambiguous, or have both orders.
    """
    if stated is not None:
        return DateOrder(stated, f"{_words(stated)} (as stated)")
    found = _of_sample(sample)
    if not (found.first or found.second):
        found = _of_column(column, text)
    if found.first and found.second:
        raise StepError(
            f"{column.source}: {column.name} has dates in both orders: row {found.first.row} is "
            f"{found.first.text!r}, row {found.second.row} is {found.second.text!r}; expected one order. "
            "State the right one with --day-first or --month-first, which reports the cells of the other, "
            "and correct those"
        )
    if evidence := found.first or found.second:
        day_first = bool(found.first)
        return DateOrder(day_first, f"{_words(day_first)} (row {evidence.row}: {evidence.text})")
    if found.all_dots:
        return DateOrder(True, "day first, the usual order with dots (--month-first states the other)")
    raise column.error(
        sample[0][0],
        "no date of this column has a day above 12, so day and month can't be told apart. State the order "
        "with --day-first or --month-first",
    )


def _of_sample(sample: Sequence[tuple[Cell, re.Match[str]]]) -> Evidence:
    numbers = [(cell, int(match["first_number"]), int(match["second_number"])) for cell, match in sample]
    return Evidence(
        next((cell for cell, first, second in numbers if first > 12 >= second), None),
        next((cell for cell, first, second in numbers if second > 12 >= first), None),
        all_dots=False,
    )


def _of_column(column: TimeColumn, text: str) -> Evidence:
    dates = column.relation.select(f"source_row, {text} AS cell, {parts(text, NUMERIC)} AS parts")
    dates = dates.filter("parts.year <> ''").select(
        "source_row, cell, parts.first_number::INTEGER AS a, parts.second_number::INTEGER AS b"
    )
    first, second = "a > 12 AND b <= 12", "b > 12 AND a <= 12"
    ((first_row, first_cell, second_row, second_cell, all_dots),) = dates.aggregate(
        f"min(source_row) FILTER ({first}), arg_min(cell, source_row) FILTER ({first}), "
        f"min(source_row) FILTER ({second}), arg_min(cell, source_row) FILTER ({second}), "
        r"bool_and(regexp_matches(cell, '^\d+[.]\s?\d+[.]'))"
    ).fetchall()
    return Evidence(
        Cell(first_row, first_cell) if first_row else None,
        Cell(second_row, second_cell) if second_row else None,
        bool(all_dots),
    )


def two_digit_year_error(column: TimeColumn, cell: Cell) -> StepError:
    """Return the error for a date such as 31/01/24, with a format that reads it."""
    match = TWO_DIGIT_YEAR.match(cell.text)
    assert match is not None
    first, separator, middle, other, last, rest = match.groups()
    if not middle.isdigit():
        date = f"%d{separator}%b{other}%y"
    elif int(first) > 31 or (int(first) > 12 and int(last) > 12 and separator == "-"):
        date = f"%y{separator}%m{other}%d"
    else:
        date = f"%m{separator}%d{other}%y" if int(middle) > 12 else f"%d{separator}%m{other}%y"
    clock = {0: "", 1: " %H:%M"}.get((rest or "").count(":"), " %H:%M:%S")
    return column.error(
        cell,
        "the year has two digits, so the order of day, month and year is unknown. Expected four digits; "
        f"state the format, such as --time-format '{date}{clock}' (years 00 to 68 are 2000 to 2068)",
    )


def _words(day_first: bool) -> str:
    return "day first" if day_first else "month first"
