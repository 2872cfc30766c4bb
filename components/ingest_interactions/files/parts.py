"""Joins the files of a source, all of one kind, into one relation."""

from pathlib import Path

from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.files import part_scans, text_parts
from components.ingest_interactions.files.header import ROW
from components.ingest_interactions.files.locations import Location
from components.ingest_interactions.files.opened_table import OpenedTable
from components.ingest_interactions.files.part_scans import Part
from components.ingest_interactions.files.staging import Staging
from components.ingest_interactions.reading import Reading
from feature_repo.counts import counted

SHOWN_NOTES = 5


def assemble(
    connection: DuckDBPyConnection, location: Location, parts: list[Part], reading: Reading, staging: Staging
) -> OpenedTable:
    """Return the table.

    Raises:
        StepError: the files are of different kinds or have different columns, or there are no rows.
    """
    kind = _only_kind(parts, location.name)
    partitions = [key for key in parts[0].file.partitions if key.lower() != ROW]
    paths = {_path(part, staging): part.file.name if len(parts) > 1 else "" for part in parts}
    words, has_names = kind, True
    if kind == "text":
        scan, words, has_names = text_parts.scan(
            connection, paths, reading, partitions, location.name, staging
        )
    elif kind == "Parquet":
        scan = part_scans.parquet(connection, paths, partitions, location.name)
    else:
        scan, words, has_names = part_scans.union(connection, parts, kind, reading, staging)
    if not scan.rows:
        after = " after the header" if kind == "text" else ""
        raise StepError(f"{location.name}: no rows{after}; expected at least one")
    sql = scan.sql if scan.is_numbered else f"SELECT row_number() OVER () AS {ROW}, * FROM ({scan.sql})"
    notes = _shortened([*_location_notes(location, parts, partitions), *scan.notes])
    description = _description(words, parts)
    return OpenedTable(connection.sql(sql), location.name, description, scan.rows, notes, has_names)


def _only_kind(parts: list[Part], name: str) -> str:
    kinds = {part.content.kind: part.file.name for part in reversed(parts)}
    if len(kinds) > 1:
        found = ", ".join(f"{file} is {kind}" for kind, file in kinds.items())
        raise StepError(f"{name}: its files are of different kinds ({found}): give one file, or a pattern")
    return next(iter(kinds))


def _description(words: str, parts: list[Part]) -> str:
    layers = sorted({", ".join(part.content.layers) for part in parts} - {""})
    files = "" if len(parts) == 1 else f" in {len(parts)} files"
    return ", ".join([words + files, *layers])


def _location_notes(location: Location, parts: list[Part], partitions: list[str]) -> list[str]:
    notes = []
    if location.ignored:
        shown = ", ".join(location.ignored[:5]) + (", …" if len(location.ignored) > 5 else "")
        notes.append(f"{counted(len(location.ignored), 'file')} beside the table ignored: {shown}")
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
