"""A user's own tables: CSV or Parquet, read as they are, each row with its number in the file."""

import csv
import hashlib
from pathlib import PurePosixPath
from typing import Any, Final

import duckdb
import fsspec
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from components.errors import StepError
from components.ingest_interactions.session import literal

PARQUET: Final = {".parquet", ".pq"}
CSV: Final = {".csv", ".tsv", ".txt"}
DELIMITERS: Final = ",;\t|"


def digest(table: str, url: str) -> str:
    """The sha256 of a file's content.

    Raises:
        StepError: it isn't there, or can't be read.
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


def read(connection: DuckDBPyConnection, url: str) -> DuckDBPyRelation:
    """Every column of the file and `source_row`, 1 for the first row after the header; CSV cells are text.

    Raises:
        StepError: it is neither CSV nor Parquet, corrupt, or without rows.
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
                f"{name}: can't tell its format; expected a name that ends in "
                f"{', '.join(sorted(CSV | PARQUET))} (CSV also with .gz)"
            )
        relation = connection.sql(scan)
        if not relation.limit(1).fetchall():
            raise StepError(f"{name}: has a header but no rows; expected at least one")
    except duckdb.Error as error:
        raise unreadable(name, error) from error
    return relation


def unreadable(name: str, error: duckdb.Error) -> StepError:
    """What a person can do about a file that DuckDB gave up on."""
    reason = " ".join(str(error).split("Possible")[0].split("LINE 1:")[0].split()).removeprefix(
        "Invalid Input Error: "
    )
    if "utf-8" in reason:
        return StepError(f"{name}: {reason} Save it as UTF-8 (iconv -f latin1 -t utf8 {name})")
    if "CSV Error" in reason:
        return StepError(f"{name}: {reason} Correct that line, or quote a cell that holds the delimiter")
    return StepError(f"{name}: is damaged or not the Parquet file its name says ({reason}); write it again")


def _csv_scan(url: str, scanned: str, name: str) -> str:
    """A scan whose dialect is read off the header line, so that no cell can sway it."""
    with fsspec.open(
        url, "rt", compression="infer", encoding="utf-8-sig", errors="replace", newline=""
    ) as file:
        line = file.readline().rstrip("\r\n")
    if not line.strip():
        raise StepError(f"{name}: is empty; expected a header line and rows")
    delimiter = max(DELIMITERS, key=line.count)
    header = [column.strip() for column in next(csv.reader([line], delimiter=delimiter))]
    repeated = {column for column in header if [c.lower() for c in header].count(column.lower()) > 1}
    if repeated or "" in header:
        fault = f"columns {sorted(repeated)} more than once" if repeated else "a column without a name"
        raise StepError(f"{name}: its header line has {fault}; expected one name for each column: {line}")
    columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in header)
    options: dict[str, Any] = {"delim": delimiter, "quote": '"', "escape": '"', "nullstr": ""}
    dialect = ", ".join(f"{key} = {literal(value)}" for key, value in options.items())
    dialect += ", header = true, auto_detect = false"
    return f"read_csv({literal(scanned)}, {dialect}, columns = {{{columns}}})"
