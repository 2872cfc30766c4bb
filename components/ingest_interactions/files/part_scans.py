"""Reads the parts of a table that are not delimited text."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from duckdb import DuckDBPyConnection

from components.ingest_interactions.duckdb_session import literal, quote
from components.ingest_interactions.files import columnar, json_table, workbook
from components.ingest_interactions.files.column_names import check_columns
from components.ingest_interactions.files.delimited import Scan
from components.ingest_interactions.files.header import ROW
from components.ingest_interactions.files.part_files import SourceFile
from components.ingest_interactions.files.staging import Staging
from components.ingest_interactions.files.unpacked_file import UnpackedFile
from components.ingest_interactions.reading import Reading

# The column that DuckDB adds to a Parquet file on request; a file may have one of this name itself.
FILE_ROW: Final = "file_row_number"
NULL_PARTITION: Final = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Part:
    """A file of the source, and its local content."""

    file: SourceFile
    content: UnpackedFile


def parquet(connection: DuckDBPyConnection, files: dict[Path, str], partitions: list[str], name: str) -> Scan:
    paths = list(files)
    if len(paths) > 1:
        check_columns({label: columnar.names(path) for path, label in files.items()}, name)
    reader = columnar.parquet(paths, partitions)
    replaced = columnar.text_of_binary(connection, f"{reader})")
    columns = connection.sql(f"SELECT * FROM {reader})").columns
    left_out = [
        column for column in columns if column.startswith(columnar.PANDAS_INDEX) or column.lower() == ROW
    ]
    # DuckDB's numbers of the rows of one file can be read by several threads, unlike a window over all rows.
    has_numbers = len(paths) == 1 and FILE_ROW not in map(str.lower, columns)
    number = f"{FILE_ROW} + 1" if has_numbers else "row_number() OVER ()"
    excluded = ", ".join(quote(column) for column in [*left_out, *([FILE_ROW] if has_numbers else [])])
    star = "*" + (f" EXCLUDE ({excluded})" if excluded else "")
    if replaced:
        star += f" REPLACE ({', '.join(f'{sql} AS {quote(column)}' for column, sql in replaced.items())})"
    numbered = f", {FILE_ROW} = true" if has_numbers else ""
    sql = f"SELECT {number} AS {ROW}, {star} FROM {reader}{numbered})"
    connection.sql(sql).limit(1).fetchall()
    (rows,) = connection.execute(f"SELECT count(*) FROM {reader})").fetchall()[0]
    notes = [f"columns without meaning are ignored: {', '.join(left_out)}"] if left_out else []
    return Scan(sql, rows, notes, is_numbered=True)


def union(
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
