"""Converts a mapped table to the contract's columns and types.

Rules for missing and loosely typed cells:

- *missing id*: an empty cell is null; validation quarantines such interactions.
- *content id*: an interaction without an id gets a hash of its content, so that exact duplicates are one.
- *default event type*: an interaction without an event type is a "rate" if it has a value, else a "view".
- *ids*: text as it is, without blanks around it; whole floats and decimals without a fraction.
- *last row wins*: if a file has several rows of an item or user, the last one counts.
"""

from collections.abc import Iterator
from typing import Final

from duckdb import DuckDBPyConnection

from components.errors import StepError
from components.ingest_interactions.columns.column_conversion import Conversion, contract_column, extra_column
from components.ingest_interactions.columns.column_mapping import REQUIRED, ROW
from components.ingest_interactions.columns.mapped_table import MappedTable
from components.ingest_interactions.duckdb_session import quote
from components.progress import report
from feature_repo.table_schemas import INTERACTIONS, ITEMS, USERS

SCHEMAS: Final = {"interactions": INTERACTIONS, "items": ITEMS, "users": USERS}

DEFAULT_EVENT: Final = "coalesce(event_type, CASE WHEN value IS NULL THEN 'view' ELSE 'rate' END)"

# 80 bits of a hash: the chance of any collision among a billion interactions is below one in a million.
CONTENT_ID: Final = """substr(md5(concat_ws(chr(31), coalesce(user_id, ''), coalesce(item_id, ''), event_type,
    coalesce(value::VARCHAR, ''), coalesce("timestamp"::VARCHAR, ''), coalesce(domain, ''))), 1, 20)"""


def conversions(mapped: MappedTable) -> dict[str, Conversion]:
    """Return column -> conversion: the contract's columns, then the extra ones.

    Raises:
        StepError: a column's type can't be converted.
    """
    result = {field.name: contract_column(mapped, field) for field in SCHEMAS[mapped.table]}
    for column in mapped.relation.columns:
        if column not in result and column != ROW:
            result[column] = extra_column(mapped, column)
    return result


def conform(connection: DuckDBPyConnection, mapped: MappedTable) -> str:
    """Return SQL for the contract's columns (times as BIGINT µs), extra columns, and `source_row`.

    Raises:
        StepError: a cell is invalid; the message has its row.
    """
    _materialize(connection, mapped)
    if mapped.table == "interactions":
        return _with_ids()
    return _last_rows(connection, mapped)


def _materialize(connection: DuckDBPyConnection, mapped: MappedTable) -> None:
    """Create the table `conformed`; raise StepError at the first invalid cell, and report the notes."""
    converted = conversions(mapped)
    cells = [f"{conversion.sql} AS {quote(column)}" for column, conversion in converted.items()]
    checks = list(_checks(converted))
    for number, (column, condition, _, _) in enumerate(checks):
        raw = f"nullif(trim({quote(column)}::VARCHAR), '')"
        cells.append(f"CASE WHEN {condition} THEN {raw} END AS check_{number}")
    converted_rows = mapped.relation.project(f"{ROW}, {', '.join(cells)}")
    converted_rows.query("converted_rows", "CREATE OR REPLACE TEMP TABLE conformed AS FROM converted_rows")
    for number, (column, _, expected, note) in enumerate(checks):
        count, row, cell = connection.execute(
            f"SELECT count(check_{number}), min({ROW}) FILTER (check_{number} IS NOT NULL), "
            f"arg_min(check_{number}, {ROW}) FROM conformed"
        ).fetchall()[0]
        source = mapped.mapping.source(column)
        if count and expected:
            raise StepError(
                f"{mapped.name}: row {row}: {source} is {cell!r}; expected {expected}. "
                f"{count} row(s) have this problem: correct the cells, or leave them empty"
            )
        if count:
            report(f"{mapped.name}: {count:,} cells of {source} {note}, as in row {row}: {cell!r}")
        connection.execute(f"ALTER TABLE conformed DROP COLUMN check_{number}")


def _checks(converted: dict[str, Conversion]) -> Iterator[tuple[str, str, str, str]]:
    """Yield column, condition, what was expected or "", and the note."""
    for column, conversion in converted.items():
        if conversion.expected:
            yield column, conversion.invalid, conversion.expected, ""
        for note, condition in conversion.notes:
            yield column, condition, "", note


def _last_rows(connection: DuckDBPyConnection, mapped: MappedTable) -> str:
    key = REQUIRED[mapped.table][0]
    (row,) = connection.execute(f"SELECT min({ROW}) FROM conformed WHERE {key} IS NULL").fetchall()[0]
    if row is not None:
        raise StepError(
            f"{mapped.name}: row {row}: {mapped.mapping.source(key)} is empty; "
            f"every row of {mapped.table} needs one"
        )
    return f"SELECT * FROM conformed QUALIFY {ROW} = max({ROW}) OVER (PARTITION BY {key})"


def _with_ids() -> str:
    with_types = f"SELECT * REPLACE ({DEFAULT_EVENT} AS event_type) FROM conformed"
    return f"SELECT * REPLACE (coalesce(interaction_id, {CONTENT_ID}) AS interaction_id) FROM ({with_types})"
