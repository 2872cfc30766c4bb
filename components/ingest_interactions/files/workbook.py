"""Reads a sheet of an Excel or OpenDocument workbook as text."""

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook

from components.errors import StepError
from components.ingest_interactions.files.header import Header, read_header
from components.ingest_interactions.reading import Reading

Rows = list[list[str]]
SAMPLE_ROWS: Final = 2000


def read(path: Path, reading: Reading, name: str) -> tuple[pa.Table, Header, str]:
    """Return the table, all cells as text, its columns, and a description.

    Several sheets with the same columns are one table.

    Raises:
        StepError: the workbook is damaged, or has several tables and `reading` names no sheet.
    """
    cells = _cells(path, reading.sheet, name)
    sheets = {sheet: rows for sheet, found in cells.items() if (rows := _rows(found))}
    if not sheets:
        raise StepError(f"{name}: no rows in the workbook; expected a header and rows")
    if len({tuple(rows[0]) for rows in sheets.values()}) > 1:
        raise StepError(
            f"{name}: the workbook has several tables: {', '.join(sheets)}. "
            "Say which one with --reading sheet=NAME"
        )
    first, *others = next(iter(sheets.values()))
    header = read_header(first, others[:SAMPLE_ROWS], reading.header, len(first), name)
    rows = [row for rows in sheets.values() for row in (rows[1:] if header.is_line else rows)]
    if any(_is_inexact(cell) for found in cells.values() for row in found for cell in row):
        header.notes.append("numbers above 2^53 have lost digits in the workbook: keep such ids as text")
    columns = {
        header.names[position]: pa.array([row[position] or None for row in rows], pa.string())
        for position in header.kept
    }
    return pa.table(columns), header, f"workbook, sheet {', '.join(sheets)}"


def _cells(path: Path, sheet: str | None, name: str) -> dict[str, list[list[Any]]]:
    """Return the cells of each sheet, or of the one that the user named."""
    try:
        workbook = CalamineWorkbook.from_path(str(path))
        chosen = workbook.sheet_names if sheet is None else [_named(workbook.sheet_names, sheet, name)]
        return {chosen_sheet: workbook.get_sheet_by_name(chosen_sheet).to_python() for chosen_sheet in chosen}
    except CalamineError as error:
        raise StepError(
            f"{name}: the workbook is damaged or encrypted ({error}): save it again without a password"
        ) from error


def _named(names: list[str], sheet: str, name: str) -> str:
    if sheet not in names:
        raise StepError(f"{name}: no sheet {sheet!r}; the workbook has {', '.join(names)}")
    return sheet


def _rows(cells: list[list[Any]]) -> Rows:
    """Return the rows from the header on, without empty rows and columns around them."""
    rows = [[_text(cell) for cell in row] for row in cells]
    filled = [row for row in rows if any(row)]
    if not filled:
        return []
    width = max(sum(bool(cell) for cell in row) for row in filled)
    while len(filled) > 1 and _is_title(filled[0], width):
        filled.pop(0)
    used = [position for position in range(len(filled[0])) if any(row[position] for row in filled)]
    return [[row[position] for position in range(used[0], used[-1] + 1)] for row in filled]


def _is_inexact(cell: Any) -> bool:
    return isinstance(cell, float) and abs(cell) > 2**53


def _is_title(row: list[str], width: int) -> bool:
    """Return whether a row has one cell of several; a header may lack the name of the row numbers alone."""
    cells = sum(bool(cell) for cell in row)
    return cells < min(2, width) and (bool(row[0]) or cells < width - 1)


def _text(cell: Any) -> str:
    """Write a cell as in a CSV file: whole numbers without a fraction, times as ISO 8601."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, (datetime, date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell.total_seconds())
    return str(cell).strip()
