"""Says what a user's file is and how it is understood, before anything is written."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from components.errors import StepError
from components.ingest_interactions.columns.column_conversion import Conversion
from components.ingest_interactions.columns.column_mapping import REQUIRED, ROW
from components.ingest_interactions.columns.mapped_table import MappedTable
from components.ingest_interactions.columns.mapping_question import UnclearColumns
from components.ingest_interactions.columns.schema_conformance import (
    conversions,
    convert,
    reading_lines,
    with_ids,
)
from components.ingest_interactions.duckdb_session import connect, quote
from components.ingest_interactions.files.damage import damage_reported
from components.ingest_interactions.files.opened_table import OpenedTable
from components.ingest_interactions.inspection.catalog_figures import catalog_figures
from components.ingest_interactions.inspection.interaction_figures import (
    EventShare,
    event_shares,
    interaction_figures,
    set_aside,
)
from components.ingest_interactions.reading import Reading, reading_of
from components.ingest_interactions.source_table import open_source

# Larger files are inspected on the interactions of some users, chosen by a hash of their ids.
WHOLE_ROWS: Final = 2_000_000
SAMPLE_ROWS: Final = 250_000
FIRST_ROWS: Final = 5
TIMES: Final = ("timestamp", "available_from", "available_until")


@dataclass(frozen=True)
class Inspection:
    """What is known about a file.

    Attributes:
        container: what kind of file it is, such as "CSV separated by ',', gzip".
        understood: layout, mapping of the columns, and what was assumed, a line each.
        first_rows: column -> value as understood, of the first rows.
        figures: name -> text, such as "users" -> "1,204".
        event_types: most frequent first; empty for items and users.
        problems: cells that stop a run, are set aside or were changed, a line each.
        one_in: the figures are about one of this many users; 1 for all.
    """

    name: str
    table: str
    rows: int
    container: str
    understood: list[str]
    first_rows: list[dict[str, Any]]
    figures: dict[str, str]
    event_types: list[EventShare]
    problems: list[str]
    one_in: int


def inspect(table: str, url: str, options: Mapping[str, Any]) -> Inspection:
    """Read a file as a run would.

    Args:
        table: interactions, items or users.
        options: the keys of Reading.

    Raises:
        StepError: the file can't be read, or it is not clear which column is which.
    """
    with connect() as connection:
        opened, mapped = _open(connection, table, url, reading_of(url, table, options))
        with damage_reported(opened.name):
            return _inspect(connection, opened, mapped)


def _open(
    connection: DuckDBPyConnection, table: str, url: str, reading: Reading
) -> tuple[OpenedTable, MappedTable]:
    """Open the file; if its columns are not those of `table`, say which table they may be."""
    try:
        return open_source(connection, table, url, reading)
    except UnclearColumns as error:
        if {"user_id", "item_id"} <= error.missing or not {"user_id", "item_id"} & error.missing:
            raise
        other = "users" if "item_id" in error.missing else "items"
        try:
            open_source(connection, other, url, reading)
        except StepError:
            raise error from None
        raise StepError(f"{error}\nIts columns may be those of {other}: add --as {other}") from error


def _inspect(connection: DuckDBPyConnection, opened: OpenedTable, mapped: MappedTable) -> Inspection:
    one_in = 1 if opened.rows <= WHOLE_ROWS else -(-opened.rows // SAMPLE_ROWS)
    converted = conversions(mapped)
    sample = _sample(connection, mapped, one_in)
    problems = [finding.text for finding in convert(connection, mapped, converted, sample)]
    event_types = []
    if mapped.table == "interactions":
        connection.execute(f"CREATE TEMP VIEW inspected AS {with_ids()}")
        figures = interaction_figures(connection, one_in, opened.rows)
        event_types = event_shares(connection)
        problems += set_aside(connection, time.time_ns() // 1000, mapped.times.timezone == "")
    else:
        figures, lacks = catalog_figures(connection, mapped.table)
        problems += lacks
    return Inspection(
        opened.name,
        mapped.table,
        opened.rows,
        opened.description,
        [*opened.notes, *mapped.description, *reading_lines(mapped, converted)],
        _first_rows(mapped, converted),
        figures,
        event_types,
        problems,
        one_in,
    )


def _sample(connection: DuckDBPyConnection, mapped: MappedTable, one_in: int) -> DuckDBPyRelation | None:
    """Return the rows of some users or items; without the numbers of the rows, several threads read them."""
    if one_in == 1:
        return None
    key = quote(REQUIRED[mapped.table][0])
    columns = ", ".join(quote(column) for column in mapped.relation.columns if column != ROW)
    sampled = mapped.relation.project(f"NULL::BIGINT AS {ROW}, {columns}")
    sampled = sampled.filter(f"{key} IS NULL OR hash({key}) % {one_in} = 0")
    sampled.query("sampled", "CREATE TEMP TABLE sample AS FROM sampled")
    return connection.table("sample")


def _first_rows(mapped: MappedTable, converted: dict[str, Conversion]) -> list[dict[str, Any]]:
    """Return the first rows of the file with the columns that it has, converted as in a run."""
    shown = {
        column: f"make_timestamp({conversion.sql})" if column in TIMES else conversion.sql
        for column, conversion in converted.items()
        if column in mapped.relation.columns
    }
    cells = ", ".join(f"{sql} AS {quote(column)}" for column, sql in shown.items())
    rows: list[dict[str, Any]] = (
        mapped.relation.limit(FIRST_ROWS).project(f"{ROW}, {cells}").to_arrow_table().to_pylist()
    )
    return rows
