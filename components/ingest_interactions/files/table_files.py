"""Opens a user's table, whatever its container is, and identifies its content."""

import hashlib
from pathlib import Path
from typing import Final

from duckdb import DuckDBPyConnection

from components.ingest_interactions.files import locations
from components.ingest_interactions.files.damage import damage_reported
from components.ingest_interactions.files.opened_table import OpenedTable
from components.ingest_interactions.files.part_scans import Part
from components.ingest_interactions.files.parts import assemble
from components.ingest_interactions.files.staging import Staging
from components.ingest_interactions.files.unpacked_file import unpack
from components.ingest_interactions.reading import Reading

DETECT: Final = Reading()


def digest(connection: DuckDBPyConnection, table: str, url: str) -> str:
    """Return the sha256 of a file's content; of a folder or a pattern, that of its files' names and contents.

    Remote files are downloaded, for open_table too.

    Raises:
        StepError: a file is missing or can't be read.
    """
    location = locations.locate(table, url)
    staging = Staging.beside_spill(connection)
    digests = {
        file.name: _sha256(table, url, locations.fetch(table, url, location, file, staging))
        for file in location.files
    }
    if location.is_single:
        return next(iter(digests.values()))
    listing = "".join(f"{name}\0{content}\n" for name, content in sorted(digests.items()))
    return hashlib.sha256(listing.encode()).hexdigest()


def _sha256(table: str, url: str, file: Path) -> str:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise locations.unreachable(table, url, error) from error


def open_table(
    connection: DuckDBPyConnection, url: str, reading: Reading = DETECT, table: str = "interactions"
) -> OpenedTable:
    """Open the table at `url`: a path, an fsspec URL, a folder of part files or a pattern.

    The relation is valid as long as the connection, whose temporary directory has unpacked copies.

    Raises:
        StepError: there is no file, it holds no table, is damaged, or has no rows.
    """
    location = locations.locate(table, url)
    staging = Staging.beside_spill(connection)
    parts = []
    for file in location.files:
        local = locations.fetch(table, url, location, file, staging)
        parts.append(Part(file, unpack(local, file.name, reading, staging)))
    with damage_reported(location.name):
        return assemble(connection, location, parts, reading, staging)
