"""Joins the files of a source, all of one kind, into one relation."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.duckdb_session import literal, quote
from components.ingest_interactions.files import columnar, json_table, text_parts, workbook
from components.ingest_interactions.files.column_names import check_columns
from components.ingest_interactions.files.delimited import Scan
from components.ingest_interactions.files.header import ROW
from components.ingest_interactions.files.locations import Location, SourceFile
from components.ingest_interactions.files.opened_table import OpenedTable
from components.ingest_interactions.files.staging import Staging
from components.ingest_interactions.files.unpacked_file import UnpackedFile
from components.ingest_interactions.reading import Reading

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
SHOWN_NOTES = 5


@dataclass(frozen=True)
class Part:
    """A file of the source, and its local content."""

    file: SourceFile
    content: UnpackedFile


def assemble(
    connection: DuckDBPyConnection, location: Location, parts: list[Part], reading: Reading, staging: Staging
) -> OpenedTable:
    """Return the table.

    Raises:
        StepError: the files are of different kinds or have different columns, or there are no rows.
    """
    kinds = {part.content.kind: part.file.name for part in reversed(parts)}
    if len(kinds) > 1:
        found = ", ".join(f"{name} is {kind}" for kind, name in kinds.items())
        raise StepError(
            f"{location.name}: its files are of different kinds ({found}): give one file, or a pattern"
        )
    (kind,) = kinds
    partitions = [key for key in parts[0].file.partitions if key.lower() != ROW]
    notes = _location_notes(location, parts, partitions)
    has_names = True
    paths = {_path(part, staging): part.file.name if len(parts) > 1 else "" for part in parts}
    if kind == "text":
        scan, words, has_names = text_parts.scan(
            connection, paths, reading, partitions, location.name, staging
        )
    elif kind == "Parquet":
        scan, words = _parquet(connection, paths, partitions, location.name), kind
    else:
        scan, words, has_names = _union(connection, parts, kind, reading, staging)
    if not scan.rows:
        after = " after the header" if kind == "text" else ""
        raise StepError(f"{location.name}: no rows{after}; expected at least one")
    numbered = (
        scan.sql
        if f" AS {ROW}" in scan.sql[:60]
        else f"SELECT row_number() OVER () AS {ROW}, * FROM ({scan.sql})"
    )
    layers = sorted({", ".join(part.content.layers) for part in parts} - {""})
    files = "" if len(parts) == 1 else f" in {len(parts)} files"
    return OpenedTable(
        connection.sql(numbered),
        location.name,
        ", ".join([words + files, *layers]),
        scan.rows,
        _shortened([*notes, *scan.notes]),
        has_names,
    )


def _location_notes(location: Location, parts: list[Part], partitions: list[str]) -> list[str]:
    notes = []
    if location.ignored:
        shown = ", ".join(location.ignored[:5]) + (", …" if len(location.ignored) > 5 else "")
        notes.append(f"{len(location.ignored)} file(s) beside the table are ignored: {shown}")
    if partitions:
        notes.append(f"columns from the names of the folders: {', '.join(partitions)}")
    return notes + list(dict.fromkeys(note for part in parts for note in part.content.notes))


def _shortened(notes: list[str]) -> list[str]:
    """Keep the first notes of many part files."""
    if len(notes) <= 2 * SHOWN_NOTES:
        return notes
    return [*notes[:SHOWN_NOTES], f"… and {len(notes) - SHOWN_NOTES} more notes of this kind"]


def _path(part: Part, staging: Staging) -> Path:
    """Return a path that DuckDB reads as it is, in folders of its partitions."""
    path = part.content.path
    if not part.file.partitions and "\\" not in str(path):
        return path
    folder = staging.new("partition")
    for key, value in part.file.partitions.items():
        folder /= f"{key}={value}"
    folder.mkdir(parents=True)
    link = folder / "part"
    link.symlink_to(path.absolute())
    return link


def _parquet(
    connection: DuckDBPyConnection, files: dict[Path, str], partitions: list[str], name: str
) -> Scan:
    paths = list(files)
    if len(paths) > 1:
        check_columns({label: columnar.names(path) for path, label in files.items()}, name)
    reader = columnar.parquet(paths, partitions)
    replaced = columnar.text_of_binary(connection, f"{reader})")
    columns = connection.sql(f"SELECT * FROM {reader})").columns
    left_out = [
        column for column in columns if column.startswith(columnar.PANDAS_INDEX) or column.lower() == ROW
    ]
    # A file's own row numbers can be read by several threads, unlike a window over all rows.
    number = "file_row_number + 1" if len(paths) == 1 else "row_number() OVER ()"
    excluded = ", ".join(
        quote(column) for column in [*left_out, *(["file_row_number"] if len(paths) == 1 else [])]
    )
    star = "*" + (f" EXCLUDE ({excluded})" if excluded else "")
    if replaced:
        star += f" REPLACE ({', '.join(f'{sql} AS {quote(column)}' for column, sql in replaced.items())})"
    numbered = ", file_row_number = true" if len(paths) == 1 else ""
    sql = f"SELECT {number} AS {ROW}, {star} FROM {reader}{numbered})"
    connection.sql(sql).limit(1).fetchall()
    (rows,) = connection.execute(f"SELECT count(*) FROM {reader})").fetchall()[0]
    notes = [f"columns without meaning are ignored: {', '.join(left_out)}"] if left_out else []
    return Scan(sql, rows, notes)


def _union(
    connection: DuckDBPyConnection, parts: list[Part], kind: str, reading: Reading, staging: Staging
) -> tuple[Scan, str, bool]:
    """Return a scan of files that are read one by one."""
    scans, words, has_names = [], "", True
    for part in parts:
        scan, words, has_names = _single(connection, part, kind, reading, staging)
        sql = _with_partitions(connection, scan.sql, part.file.partitions)
        scans.append(Scan(sql, scan.rows, scan.notes))
    union = " UNION ALL BY NAME ".join(f"({scan.sql})" for scan in scans) if len(scans) > 1 else scans[0].sql
    notes = list(dict.fromkeys(note for scan in scans for note in scan.notes))
    return Scan(union, sum(scan.rows for scan in scans), notes), words, has_names


def _single(
    connection: DuckDBPyConnection, part: Part, kind: str, reading: Reading, staging: Staging
) -> tuple[Scan, str, bool]:
    path, name = part.content.path, part.file.name
    if kind == "JSON":
        scan, words = json_table.scan(connection, path, name, staging)
        return scan, words, True
    view = f"opened_{staging.new().name}"
    if kind == "workbook":
        table, header, words = workbook.read(path, reading, name)
        connection.register(view, table)
        return Scan(f"SELECT * FROM {quote(view)}", len(table), header.notes), words, header.has_names
    rows = columnar.register(connection, path, kind, view)
    return Scan(f"SELECT * FROM {quote(view)}", rows, []), kind, True


def _with_partitions(connection: DuckDBPyConnection, sql: str, partitions: dict[str, str]) -> str:
    """Add the columns in the path, which win over columns of the file with the same names."""
    given = {key.lower() for key in partitions}
    own = [quote(column) for column in connection.sql(sql).columns if column.lower() not in given]
    constants = [
        f"{_value(value)} AS {quote(key)}" for key, value in partitions.items() if key.lower() != ROW
    ]
    return f"SELECT {', '.join([*own, *constants])} FROM ({sql})" if partitions else sql


def _value(value: str) -> str:
    return "NULL::VARCHAR" if value == NULL_PARTITION else literal(unquote(value))
