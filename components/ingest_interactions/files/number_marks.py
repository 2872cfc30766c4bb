"""Finds columns of numbers that are written with decimal commas or with commas between thousands."""

import re
from typing import Final

from components.ingest_interactions.duckdb_session import quote
from components.ingest_interactions.files.header import Header

DECIMAL_COMMA: Final = re.compile(r"[-+]?\d{1,3}(\.\d{3})+(,\d+)?|[-+]?\d+(,\d+)?")
DECIMAL_POINT: Final = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?|[-+]?\d+(\.\d+)?")
NOTES: Final = {
    ",": "decimal commas in {}: read as decimal points",
    ".": "commas between thousands in {}: left out",
    "": "{}: a comma before three digits may be a decimal mark or not: say --reading decimal=, or decimal=.",
}


def find(
    header: Header, records: list[list[str]], given: str | None, delimiter: str
) -> tuple[dict[str, str], list[str]]:
    """Return column -> decimal mark, for the columns whose cells have commas and are all numbers; and notes.

    Args:
        records: some rows.
        given: the decimal mark if the user said it.
        delimiter: between commas, a decimal comma is not assumed.
    """
    marks = {}
    for position in header.kept:
        cells = [record[position].strip() for record in records if len(record) == len(header.names)]
        mark = _mark([cell for cell in cells if cell], given, delimiter)
        if mark is not None:
            marks[header.names[position]] = mark
    notes = [
        text.format(", ".join(column for column, found in marks.items() if found == mark))
        for mark, text in NOTES.items()
        if mark in marks.values()
    ]
    return {column: mark for column, mark in marks.items() if mark}, notes


def number(column: str, mark: str) -> str:
    """Return SQL for the text of a number with a decimal point."""
    identifier = quote(column)
    thousands = f"replace({identifier}, '{'.' if mark == ',' else ','}', '')"
    plain = f"replace({thousands}, ',', '.')" if mark == "," else thousands
    return f"CASE WHEN contains({identifier}, ',') THEN {plain} ELSE {identifier} END"


def _mark(cells: list[str], given: str | None, delimiter: str) -> str | None:
    """Return "," or "." for the decimal mark, "" if it is not clear, None for other columns."""
    commas = [cell for cell in cells if "," in cell]
    if not commas:
        return None
    is_comma = all(DECIMAL_COMMA.fullmatch(cell) for cell in cells)
    is_point = all(DECIMAL_POINT.fullmatch(cell) for cell in cells)
    if given is not None:
        return given if (is_comma if given == "," else is_point) else None
    if is_comma and is_point:
        return "" if delimiter != "," else None
    if is_point:
        return "."
    return "," if is_comma and delimiter != "," else None
