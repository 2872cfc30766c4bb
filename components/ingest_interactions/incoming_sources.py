"""Adds data sets and files to the warehouse."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from duckdb import DuckDBPyConnection

from components.ingest_interactions.columns.mapped_table import map_table
from components.ingest_interactions.columns.pseudonym_column import unquoted_cells
from components.ingest_interactions.columns.schema_conformance import conform
from components.ingest_interactions.datasets import dataset_tables
from components.ingest_interactions.datasets.registry import find
from components.ingest_interactions.files import table_files
from components.ingest_interactions.files.damage import damage_reported
from components.ingest_interactions.files.locations import locate
from components.ingest_interactions.files.part_files import MAGIC
from components.ingest_interactions.reading import (
    RESERVED_SOURCE,
    Reading,
    options_text,
    options_to_keep,
    reading_of,
)
from components.ingest_interactions.source_table import open_source
from components.ingest_interactions.times.time_zones import future_note
from components.ingest_interactions.warehouse.manifest import Warehouse
from components.ingest_interactions.warehouse.parts import Part
from components.ingest_interactions.warehouse.privacy_statement import statement_beside
from components.ingest_interactions.warehouse.replacement import Replacement, find_replacement
from components.progress import report
from feature_repo.pseudonyms import Pseudonyms

# Of rows with one id, user and item, the last one counts.
LAST: Final = """
    SELECT * FROM ({rows})
    QUALIFY row_number() OVER (PARTITION BY interaction_id, user_id, item_id ORDER BY source_row DESC) = 1
"""


def add_dataset(
    connection: DuckDBPyConnection, store: Warehouse, name: str, pseudonyms: Pseudonyms | None = None
) -> None:
    """Add the tables of a public data set, once.

    Raises:
        StepError: it is unknown, or not installed.
    """
    dataset = find(name)
    if store.listed(source=name):
        report(f"{name}: already ingested, skipped")
        return
    with tempfile.TemporaryDirectory(prefix="penchant-") as folder:
        tables, origin = dataset_tables.read(connection, dataset, store, Path(folder))
        for table, relation in tables.items():
            rows = conform(connection, map_table(relation, table, name), pseudonyms)
            part = store.write(connection, table, name, _last(table, rows), origin)
            store.add(part)
            report(f"{name}: {part.rows:,} {table} from {origin}")


def add_file(
    connection: DuckDBPyConnection,
    store: Warehouse,
    table: str,
    url: str,
    given: Mapping[str, Any],
    accept_smaller: bool = False,
    pseudonyms: Pseudonyms | None = None,
) -> None:
    """Add the rows of a file; they replace those that the same source brought before.

    Args:
        given: keys of reading.Reading; the source keeps them for its next content.
        accept_smaller: whether the new content may have much fewer rows than the old one.
        pseudonyms: store them instead of user ids.

    Raises:
        StepError: the file can't be read, or its content does not belong to the source of this name, or has
            much fewer rows.
    """
    source = reading_of(url, table, given).source or _default_name(table, url)
    own, digest = store.listed(table, source), table_files.digest(connection, table, url)
    kept = own[-1].options if own else {}
    reading = reading_of(url, table, given, kept)
    if kept:
        report(f"{source}: reading options of its last ingest, unless others are given: {options_text(kept)}")
    for part in (part for part in store.listed(table) if part.digest == digest):
        if part.reading == reading.fingerprint and (part.source == source or not store.listed(table, source)):
            known = "" if part.source == source else f" as {part.source}"
            report(f"{source}: the same content is already ingested{known}, skipped")
            return
    privacy = statement_beside(url, digest) if table == "interactions" else {}
    with unquoted_cells(pseudonyms, place(url)):
        rows, read = _read(connection, table, url, reading, pseudonyms)
    part = store.write(connection, table, source, _last(table, rows), place(url))
    options = options_to_keep(table, kept, given)
    part = replace(part, digest=digest, reading=reading.fingerprint, options=options, privacy=privacy)
    found = find_replacement(connection, store, part, bool(reading.source), accept_smaller)
    store.add(part, found.parts)
    _report_rows(table, part, read, found)


def _default_name(table: str, url: str) -> str:
    location = locate(table, url)
    return source_name(url, not location.is_single and bool(MAGIC.search(PurePosixPath(url).name)))


def source_name(url: str, is_pattern: bool) -> str:
    """Return the name of a file's source: its path without the folder; of a pattern, with its last folder."""
    path = PurePosixPath(place(url))
    name = "/".join(path.parts[-2:]) if is_pattern else path.name or url
    return f"./{name}" if RESERVED_SOURCE.fullmatch(name) else name


def place(url: str) -> str:
    """Return a path, or a URL without the password and the signature that it may have."""
    if "://" not in url:
        return url
    split = urlsplit(url)
    return split._replace(netloc=split.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _last(table: str, rows: str) -> str:
    return LAST.format(rows=rows) if table == "interactions" else rows


def _read(
    connection: DuckDBPyConnection,
    table: str,
    url: str,
    reading: Reading,
    pseudonyms: Pseudonyms | None,
) -> tuple[str, int]:
    """Return SQL for the conformed rows of a file, and the number of its rows."""
    opened, mapped = open_source(connection, table, url, reading)
    for line in (opened.description, *opened.notes, *mapped.description):
        report(f"{opened.name}: {line}")
    with damage_reported(opened.name):
        rows = conform(connection, mapped, pseudonyms)
    if table == "interactions" and reading.timezone is None:
        ((newest,),) = connection.execute('SELECT max("timestamp") FROM conformed').fetchall()
        if note := future_note("timestamp", newest, time.time_ns() // 1000):
            report(f"{opened.name}: {note}")
    ((read,),) = connection.execute("SELECT count(*) FROM conformed").fetchall()
    return rows, read


def _report_rows(table: str, part: Part, read: int, found: Replacement) -> None:
    repeated = f", {read - part.rows:,} repeated or retracted" if read > part.rows else ""
    line = f"{part.source}: {read:,} {table} read{repeated}"
    if found.parts:
        line += f"; they replace {found.rows:,}: {found.added:,} new, {found.withdrawn:,} withdrawn"
    report(line)
    if 0 < found.earlier == found.withdrawn:
        report(
            f"{part.source}: the withdrawn interactions are older than all new ones. If each export has the "
            "newest rows only, give each a name, so that they add up: --source NAME"
        )
