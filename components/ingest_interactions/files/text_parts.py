"""Reads delimited text files together: parts of one table, with the same columns."""

from dataclasses import replace
from pathlib import Path

from duckdb import DuckDBPyConnection

from components.ingest_interactions.files import delimited, text_table
from components.ingest_interactions.files.column_names import check_columns
from components.ingest_interactions.files.delimited import Scan
from components.ingest_interactions.files.staging import Staging
from components.ingest_interactions.files.text_table import TextTable
from components.ingest_interactions.reading import Reading
from feature_repo.counts import counted

Tables = dict[Path, TextTable]


def scan(
    connection: DuckDBPyConnection,
    paths: dict[Path, str],
    reading: Reading,
    partitions: list[str],
    name: str,
    staging: Staging,
) -> tuple[Scan, str, bool]:
    """Return a scan of all files, their layout in words, and whether they have a header.

    Args:
        paths: local path -> name in messages.

    Raises:
        StepError: the files have different columns, or too many lines are no row.
    """
    tables = {path: text_table.describe(path, reading, label or name) for path, label in paths.items()}
    tables, notes = _with_first_names(tables, paths)
    check_columns(
        {paths[path]: set(table.columns) for path, table in tables.items()},
        name,
    )
    groups: dict[object, list[Path]] = {}
    for path, table in tables.items():
        groups.setdefault(table.layout, []).append(path)
    scans = [
        delimited.read(
            connection, _plain(members, paths, tables, staging), tables[members[0]], partitions, name
        )
        for members in groups.values()
    ]
    sql = " UNION ALL BY NAME ".join(f"({part.sql})" for part in scans) if len(scans) > 1 else scans[0].sql
    first = next(iter(tables.values()))
    notes += list(dict.fromkeys(note for table in tables.values() for note in table.notes))
    notes += [note for part in scans for note in part.notes]
    return Scan(sql, sum(part.rows for part in scans), notes), first.description, first.header.has_names


def _plain(members: list[Path], paths: dict[Path, str], tables: Tables, staging: Staging) -> dict[Path, str]:
    """Return files that DuckDB can split and whose lines it counts as they are."""
    plain = {}
    for path in members:
        table, target = tables[path], path
        has_blanks = table.separators.delimiter == "blanks"
        if has_blanks or table.has_quotes_above:
            target = staging.new()
            delimited.simplify(path, target, table.skip if table.has_quotes_above else 0, has_blanks)
        plain[target] = paths[path]
    return plain


def _with_first_names(tables: Tables, paths: dict[Path, str]) -> tuple[Tables, list[str]]:
    """Give the names of the first file to others without a header, as parts of a file that was split."""
    first = next(iter(tables.values()))
    nameless = [path for path, table in tables.items() if not table.header.has_names]
    if not first.header.has_names or not nameless:
        return tables, []
    for path in nameless:
        if tables[path].width == first.width:
            tables[path] = replace(
                tables[path], header=first.header, notes=[], decimal_marks=first.decimal_marks
            )
    return tables, [
        f"{counted(len(nameless), 'file')} without a header, taken to have the columns of "
        f"{next(iter(paths.values()))}"
    ]
