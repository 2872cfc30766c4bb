"""Reads delimited text files with DuckDB's reader, all cells as text."""

from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from components.ingest_interactions.duckdb_session import file_list, literal, quote
from components.ingest_interactions.files import number_marks, rejected_lines, swallowed_lines
from components.ingest_interactions.files.text_table import TextTable


@dataclass(frozen=True)
class Scan:
    """SQL that yields the columns of files of one layout; `is_numbered` if `source_row` is one of them."""

    sql: str
    rows: int
    notes: list[str]
    is_numbered: bool = False


def simplify(source: Path, target: Path, empty: int, has_blanks: bool) -> None:
    """Write a copy in which the first lines are empty, and each run of blanks is one tab."""
    with source.open(encoding="utf-8-sig", newline="") as lines, target.open("w", encoding="utf-8") as file:
        for number, line in enumerate(lines):
            text = "" if number < empty else line.rstrip("\r\n")
            file.write(("\t".join(text.split()) if has_blanks else text) + "\n")


def read(
    connection: DuckDBPyConnection, paths: dict[Path, str], table: TextTable, partitions: list[str], name: str
) -> Scan:
    """Return a scan of files that are written in the same way.

    Args:
        paths: path -> name in messages, "" if there is one file.
        partitions: the columns in the folders of the paths.

    Raises:
        StepError: too many lines are no row.
    """
    reader = _reader(paths, table, partitions)
    names = [column for column in table.columns if column.lower() not in map(str.lower, partitions)]
    labels = {str(path): label for path, label in paths.items()}
    rejected = rejected_lines.count(connection, reader, labels, _is_header(table, names[:1]))
    notes = [rejected.note(name, table.width)]
    scan, rows = f"{reader}, ignore_errors = true)", rejected.rows
    if rejected.suspects:
        scan, rows = _without_headers(connection, scan, _is_header(table, names), rows)
        notes += [f"the header is there {rejected.rows - rows:,} more times: left out"] * (
            rows < rejected.rows
        )
    if table.separators.quote:
        known = rejected.rows + rejected.lines + table.skip * len(paths)
        notes.append(swallowed_lines.find(connection, scan, list(paths), table, known, name))
    cells = ", ".join([*(_cell(table, column) for column in names), *map(quote, partitions)])
    return Scan(f"SELECT {cells} FROM {scan}", rows, [note for note in notes if note])


def _without_headers(connection: DuckDBPyConnection, scan: str, is_header: str, rows: int) -> tuple[str, int]:
    (headers,) = connection.execute(f"SELECT count(*) FROM {scan} WHERE {is_header}").fetchall()[0]
    return (f"(FROM {scan} WHERE NOT ({is_header}))" if headers else scan), rows - headers


def _reader(paths: dict[Path, str], table: TextTable, partitions: list[str]) -> str:
    found = table.separators
    delimiter = "\t" if found.delimiter == "blanks" else found.delimiter
    columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in table.all_columns)
    return (
        f"read_csv({file_list(paths)}, delim = {literal(delimiter)}, quote = {literal(found.quote)}, "
        f"escape = {literal(found.escape)}, nullstr = '', header = false, skip = {table.skip}, "
        f"compression = 'none', auto_detect = false, columns = {{{columns}}}, "
        f"hive_partitioning = {bool(partitions)}, hive_types_autocast = false"
    )


def _cell(table: TextTable, name: str) -> str:
    mark = table.decimal_marks.get(name)
    return f"{number_marks.number(name, mark)} AS {quote(name)}" if mark else quote(name)


def _is_header(table: TextTable, columns: list[str]) -> str:
    """Return a condition for rows that repeat the header, as in a file that was joined from several ones."""
    if not table.header.has_names:
        return "false"
    return " AND ".join(_has_text(quote(column), literal(column)) for column in columns)


def _has_text(cell: str, text: str) -> str:
    """Return a condition for a cell with this text and blanks around it; only few cells are trimmed."""
    return f"CASE WHEN contains({cell}, {text}) THEN trim({cell}) = {text} ELSE false END"
