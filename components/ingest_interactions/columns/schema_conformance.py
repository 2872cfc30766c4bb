"""Converts the table of a source to the contract's columns and types.

Rules for missing and loosely typed cells:

- *missing id*: an empty cell is null; validation quarantines such interactions.
- *content id*: an interaction without an id gets a hash of its content, so that exact duplicates are one.
- *default event type*: an interaction without an event type is a "rate" if it has a value, else a "view".
- *whole ids*: ids written as 12.0 are read as 12.
- *last row wins*: if a file has several rows of an item or user, the last one counts.
- *split categories*: "a|b" in a text cell is two categories.
"""

from typing import Final

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from components.errors import StepError
from components.ingest_interactions.columns.column_conversion import Conversion, contract_column, extra_column
from components.ingest_interactions.duckdb_session import quote
from feature_repo.table_schemas import INTERACTIONS, ITEMS, USERS

SCHEMAS: Final = {"interactions": INTERACTIONS, "items": ITEMS, "users": USERS}
REQUIRED: Final = {
    "interactions": ("user_id", "item_id", "timestamp"),
    "items": ("item_id",),
    "users": ("user_id",),
}
ROW: Final = "source_row"

DEFAULT_EVENT: Final = "coalesce(event_type, CASE WHEN value IS NULL THEN 'view' ELSE 'rate' END)"

# 80 bits of a hash: the chance of any collision among a billion interactions is below one in a million.
CONTENT_ID: Final = """substr(md5(concat_ws(chr(31), coalesce(user_id, ''), coalesce(item_id, ''), event_type,
    coalesce(value::VARCHAR, ''), coalesce("timestamp"::VARCHAR, ''), coalesce(domain, ''))), 1, 20)"""


def conform(connection: DuckDBPyConnection, relation: DuckDBPyRelation, table: str, name: str) -> str:
    """Return SQL for the contract's columns (times as BIGINT µs), extra columns, and `source_row`.

    Args:
        relation: unconverted columns and `source_row`, as `files.open_table` returns them.
        name: the source in error messages, such as a file name.

    Raises:
        StepError: a column is missing or unknown, or a cell is invalid; the message has its row.
    """
    check_columns([column for column in relation.columns if column != ROW], table, name)
    conversions = {field.name: contract_column(relation, field, name) for field in SCHEMAS[table]}
    for column in relation.columns:
        if column not in conversions and column != ROW:
            conversions[column] = extra_column(relation, column, table, name)
    _materialize(connection, relation, conversions, name)
    if table == "interactions":
        return _with_ids()
    return _last_rows(connection, table, name)


def check_columns(columns: list[str], table: str, name: str) -> None:
    """Reject a table that lacks a required column or has an unknown one.

    Raises:
        StepError: names the column and the allowed ones.
    """
    allowed, required = SCHEMAS[table].names, REQUIRED[table]
    for column in columns:
        if column in allowed:
            continue
        if column.lower() in [*allowed, ROW]:
            raise StepError(f"{name}: column {column!r} must be spelled {column.lower()!r}")
        if table == "interactions":
            raise StepError(
                f"{name}: unknown column {column!r}; interactions may have {', '.join(allowed)}. "
                "Rename or drop it; columns about items and users go into separate files (--items, --users)"
            )
    if missing := [column for column in required if column not in columns]:
        raise StepError(
            f"{name}: column {', '.join(missing)} is missing; {table} need {', '.join(required)}, "
            f"this table has {', '.join(columns)}"
        )


def _materialize(
    connection: DuckDBPyConnection, relation: DuckDBPyRelation, conversions: dict[str, Conversion], name: str
) -> None:
    """Create the table `conformed`; raise StepError at the first invalid cell."""
    cells = [f"{conversion.sql} AS {quote(column)}" for column, conversion in conversions.items()]
    checked = {column: conversion for column, conversion in conversions.items() if conversion.expected}
    for number, (column, conversion) in enumerate(checked.items()):
        raw = f"nullif(trim({quote(column)}::VARCHAR), '')"
        cells.append(f"CASE WHEN {conversion.invalid} THEN {raw} END AS invalid_{number}")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE conformed AS SELECT {ROW}, {', '.join(cells)} FROM relation"
    )
    for number, (column, conversion) in enumerate(checked.items()):
        count, row, cell = connection.execute(
            f"SELECT count(*), min({ROW}), arg_min(invalid_{number}, {ROW}) "
            f"FROM conformed WHERE invalid_{number} IS NOT NULL"
        ).fetchall()[0]
        if count:
            raise StepError(
                f"{name}: row {row}: {column} is {cell!r}; expected {conversion.expected}. "
                f"{count} row(s) have this problem: correct the cells, or leave them empty"
            )
        connection.execute(f"ALTER TABLE conformed DROP COLUMN invalid_{number}")


def _last_rows(connection: DuckDBPyConnection, table: str, name: str) -> str:
    key = REQUIRED[table][0]
    (row,) = connection.execute(f"SELECT min({ROW}) FROM conformed WHERE {key} IS NULL").fetchall()[0]
    if row is not None:
        raise StepError(f"{name}: row {row}: {key} is empty; every row of {table} needs one")
    return f"SELECT * FROM conformed QUALIFY {ROW} = max({ROW}) OVER (PARTITION BY {key})"


def _with_ids() -> str:
    with_types = f"SELECT * REPLACE ({DEFAULT_EVENT} AS event_type) FROM conformed"
    return f"SELECT * REPLACE (coalesce(interaction_id, {CONTENT_ID}) AS interaction_id) FROM ({with_types})"
