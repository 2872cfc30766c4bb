"""A user's file, opened and mapped to the contract's columns."""

from duckdb import DuckDBPyConnection

from components.ingest_interactions.columns.known_layouts import is_first_row
from components.ingest_interactions.columns.mapped_table import MappedTable, map_table
from components.ingest_interactions.files.opened_table import OpenedTable
from components.ingest_interactions.files.table_files import open_table
from components.ingest_interactions.reading import Reading


def open_source(
    connection: DuckDBPyConnection, table: str, url: str, reading: Reading
) -> tuple[OpenedTable, MappedTable]:
    """Open the file at `url`, and find its columns.

    A file whose header is the first row of a known layout without a header is opened again without one.

    Raises:
        StepError: the file can't be read, or it is not clear which column is which.
    """
    opened = open_table(connection, url, reading, table)
    if opened.has_names and reading.header is None and is_first_row(_names(opened), table, opened.name):
        opened = open_table(connection, url, reading.model_copy(update={"header": False}), table)
    columns, names = reading.columns_of(table), opened.has_names
    mapped = map_table(opened.relation, table, opened.name, columns, names, reading.times)
    return opened, mapped


def _names(opened: OpenedTable) -> list[str]:
    return [column for column in opened.relation.columns if column != "source_row"]
