"""Finds cells of a quoted text file that hold whole rows, because a quote is missing or is one too many."""

from pathlib import Path
from typing import Final

from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.duckdb_session import literal, quote
from components.ingest_interactions.files.rejected_lines import HIGHEST_SHARE
from components.ingest_interactions.files.text_encoding import count_line_ends

BREAKS: Final = "(length({cell}) - length(replace({cell}, chr(10), '')))"
SEPARATORS: Final = "(length({cell}) - length(replace({cell}, {delimiter}, ''))) / length({delimiter})"


def find(
    connection: DuckDBPyConnection,
    scan: str,
    paths: list[Path],
    columns: list[str],
    delimiter: str,
    known_lines: int,
    rows: int,
    name: str,
) -> str | None:
    """Return a sentence about such cells; None if there are none.

    A cell that takes the place of n line breaks of rows with w cells has exactly n (w - 1) separators.

    Args:
        scan: SQL of a table with the columns.
        known_lines: the lines that are rows, headers, or are left out.

    Raises:
        StepError: they hold more than HIGHEST_SHARE of the lines.
    """
    if len(columns) < 3 or sum(count_line_ends(path).feeds for path in paths) <= known_lines:
        return None
    breaks, suspects = [], []
    for column in columns:
        count = BREAKS.format(cell=quote(column))
        separators = SEPARATORS.format(cell=quote(column), delimiter=literal(delimiter))
        suspect = f"contains({quote(column)}, chr(10)) AND {separators} = {len(columns) - 1} * {count}"
        breaks.append(f"CASE WHEN {suspect} THEN {count} ELSE 0 END")
        suspects.append(f"CASE WHEN {suspect} THEN left({quote(column)}, 60) END")
    lines, cells, row, first = connection.execute(
        "SELECT sum(lost), count(*), min(number), arg_min(cell, number) FROM ("
        f"SELECT row_number() OVER () AS number, {' + '.join(breaks)} AS lost, "
        f"coalesce({', '.join(suspects)}) AS cell FROM {scan}) WHERE lost > 0"
    ).fetchall()[0]
    if not cells:
        return None
    what = f"{cells:,} cells look like {lines:,} whole lines, the first one in row {row} ({first!r})"
    if lines > HIGHEST_SHARE * (rows + lines):
        raise StepError(f"{name}: {what}: close the quote, or say with --reading quote= that there is none")
    return f"{what}: a quote is missing there, or is one too many"
