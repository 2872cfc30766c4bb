"""Finds cells of a quoted text file that hold whole rows, because a quote is missing or is one too many."""

from pathlib import Path
from typing import Final

from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.duckdb_session import literal, quote
from components.ingest_interactions.files.line_ends import count_line_ends
from components.ingest_interactions.files.rejected_lines import HIGHEST_SHARE
from components.ingest_interactions.files.text_table import TextTable
from feature_repo.counts import counted

# Fewer lines may look so by chance.
FEWEST_LINES: Final = 20
SEPARATORS: Final = "(length({text}) - length(replace({text}, {delimiter}, ''))) / {length}"
# A cell of column k that begins in one row and ends in a later one holds the rest of the first row, whole
# rows, and the last row up to column k.
SUSPECT: Final = """contains({cell}, chr(10)) AND {first} = {width} - 1 - {column} AND {last} = {column}
    AND len(list_filter({lines}[2:-2], lambda line: {inner} <> {width} - 1)) = 0"""


def find(
    connection: DuckDBPyConnection,
    scan: str,
    paths: list[Path],
    table: TextTable,
    known_lines: int,
    name: str,
) -> str | None:
    """Return a sentence about such cells; None if there are none.

    Args:
        scan: SQL of the table.
        known_lines: the lines that are rows, headers, or are left out.

    Raises:
        StepError: they hold more than HIGHEST_SHARE of the lines.
    """
    columns, delimiter = table.all_columns, table.separators.delimiter
    if len(columns) < 3 or sum(count_line_ends(path).feeds for path in paths) <= known_lines:
        return None
    suspects = [
        f"CASE WHEN {_suspect(column, position, len(columns), delimiter)} THEN {quote(column)} END"
        for position, column in enumerate(columns)
    ]
    cells = f"SELECT row_number() OVER () AS number, coalesce({', '.join(suspects)}) AS cell FROM {scan}"
    lines, count, row, first = connection.execute(
        "SELECT sum(length(cell) - length(replace(cell, chr(10), ''))), count(*), min(number), "
        f"left(arg_min(cell, number), 60) FROM ({cells}) WHERE cell IS NOT NULL"
    ).fetchall()[0]
    if not count:
        return None
    like = f"{counted(count, 'cell')} with what looks like {lines:,} whole lines"
    what = f"{like}, the first one in row {row} ({first!r})"
    if lines > max(FEWEST_LINES, HIGHEST_SHARE * (known_lines + lines)):
        raise StepError(f"{name}: {what}: close the quote, or say with --reading quote= that there is none")
    return f"{what}: a quote is missing there, or is one too many"


def _suspect(column: str, position: int, width: int, delimiter: str) -> str:
    lines = f"string_split({quote(column)}, chr(10))"
    separators = {
        name: SEPARATORS.format(text=text, delimiter=literal(delimiter), length=len(delimiter))
        for name, text in (("first", f"{lines}[1]"), ("last", f"{lines}[-1]"), ("inner", "line"))
    }
    return SUSPECT.format(cell=quote(column), lines=lines, width=width, column=position, **separators)
