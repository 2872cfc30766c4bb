"""Reads a user's CSV or Parquet file without conversion, each row with its number in the file."""

import csv
import hashlib
from pathlib import PurePosixPath
from typing import Any, Final

import duckdb
import fsspec
from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.duckdb_session import literal
from components.ingest_interactions.files.opened_table import OpenedTable
from components.ingest_interactions.reading import Reading

PARQUET: Final = {".parquet", ".pq"}
CSV: Final = {".csv", ".tsv", ".txt"}
DETECT: Final = Reading()
DELIMITERS: Final = ",;\t|"


def digest(table: str, url: str) -> str:
    """Return the sha256 of a file's content.

    Raises:
        StepError: the file is missing or can't be read.
    """
    hasher = hashlib.sha256()
    try:
        with fsspec.open(url, "rb") as file:
            while block := file.read(1 << 20):
                hasher.update(block)
    except OSError as error:
        raise StepError(
            f"the {table} file {url} can't be read ({error.strerror or error}): "
            f"give the path of a CSV or Parquet file with --{table} FILE"
        ) from error
    return hasher.hexdigest()


def open_table(connection: DuckDBPyConnection, url: str, options: Reading = DETECT) -> OpenedTable:
    """Open the table at `url`, a path or an fsspec URL; the relation is valid as long as the connection.

    Raises:
        StepError: the file is neither CSV nor Parquet, is damaged, or has no rows.
    """
    name = PurePosixPath(url).name
    suffixes = {suffix.lower() for suffix in PurePosixPath(url).suffixes}
    filesystem, path = fsspec.url_to_fs(url)
    scanned = str(filesystem.unstrip_protocol(path)).removeprefix("file://")
    try:
        if suffixes & PARQUET:
            numbered = f"read_parquet({literal(scanned)}, file_row_number = true)"
            scan = f"SELECT file_row_number + 1 AS source_row, * EXCLUDE (file_row_number) FROM {numbered}"
        elif suffixes & CSV:
            scan = f"SELECT row_number() OVER () AS source_row, * FROM {_csv_scan(url, scanned, name)}"
        else:
            raise StepError(
                f"{name}: unknown format; expected a file name that ends in "
                f"{', '.join(sorted(CSV | PARQUET))} (CSV also with .gz)"
            )
        relation = connection.sql(scan)
        relation.limit(1).fetchall()
        (rows,) = relation.aggregate("count(*)").fetchall()[0]
        if not rows:
            raise StepError(f"{name}: no rows after the header; expected at least one")
    except duckdb.Error as error:
        raise unreadable(name, error) from error
    return OpenedTable(relation, name, "Parquet" if suffixes & PARQUET else "CSV", rows)


def unreadable(name: str, error: duckdb.Error) -> StepError:
    """Return an error with advice for a file that DuckDB can't read."""
    reason = " ".join(str(error).split("Possible")[0].split("LINE 1:")[0].split()).removeprefix(
        "Invalid Input Error: "
    )
    if "utf-8" in reason:
        return StepError(f"{name}: {reason} Save it as UTF-8 (iconv -f latin1 -t utf8 {name})")
    if "CSV Error" in reason:
        return StepError(
            f"{name}: {reason} Correct that line, or put a cell that contains the delimiter in quotes"
        )
    return StepError(f"{name}: damaged, or not a Parquet file ({reason}); write the file again")


def _csv_scan(url: str, scanned: str, name: str) -> str:
    """Return a scan with the delimiter of the header line, so that cells don't influence it."""
    with fsspec.open(
        url, "rt", compression="infer", encoding="utf-8-sig", errors="replace", newline=""
    ) as file:
        line = file.readline().rstrip("\r\n")
    if not line.strip():
        raise StepError(f"{name}: empty file; expected a header line and rows")
    delimiter = max(DELIMITERS, key=line.count)
    header = [column.strip() for column in next(csv.reader([line], delimiter=delimiter))]
    repeated = {column for column in header if [c.lower() for c in header].count(column.lower()) > 1}
    if repeated or "" in header:
        problem = f"columns {sorted(repeated)} more than once" if repeated else "a column without a name"
        raise StepError(f"{name}: the header line has {problem}; expected one name for each column: {line}")
    columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in header)
    options: dict[str, Any] = {"delim": delimiter, "quote": '"', "escape": '"', "nullstr": ""}
    dialect = ", ".join(f"{key} = {literal(value)}" for key, value in options.items())
    dialect += ", header = true, auto_detect = false"
    return f"read_csv({literal(scanned)}, {dialect}, columns = {{{columns}}})"
