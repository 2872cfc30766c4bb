"""A table of any source in the contract's columns and types.

The rules for what is missing or loose, by name:

- *absent id*: an empty cell is missing; validation sets such rows aside.
- *content id*: an interaction without an id gets a hash of its content, so that an exact repeat collapses.
- *default event*: an interaction without an event type is a "rate" when it carries a value, else a "view".
- *whole ids*: ids that a tool wrote as 12.0 are 12.
- *last word*: of several rows about one item or user in a file the last holds.
- *split categories*: "a|b" in a text cell is two categories.
"""

from typing import Final

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from components.errors import StepError
from components.ingest_interactions.columns import Reading, contract_column, further_column
from components.ingest_interactions.session import quote
from feature_repo.contract import INTERACTIONS, ITEMS, USERS

SCHEMAS: Final = {"interactions": INTERACTIONS, "items": ITEMS, "users": USERS}
REQUIRED: Final = {
    "interactions": ("user_id", "item_id", "timestamp"),
    "items": ("item_id",),
    "users": ("user_id",),
}
ROW: Final = "source_row"

DEFAULT_EVENT: Final = "coalesce(event_type, CASE WHEN value IS NULL THEN 'view' ELSE 'rate' END)"

# 80 bits of a hash: a billion interactions hold two alike with a chance below one in a million.
CONTENT_ID: Final = """substr(md5(concat_ws(chr(31), coalesce(user_id, ''), coalesce(item_id, ''), event_type,
    coalesce(value::VARCHAR, ''), coalesce("timestamp"::VARCHAR, ''), coalesce(domain, ''))), 1, 20)"""


def conform(connection: DuckDBPyConnection, relation: DuckDBPyRelation, table: str, name: str) -> str:
    """SQL for the contract's columns (times as BIGINT µs), others of items and users, and `source_row`.

    Args:
        relation: loose columns and `source_row`, as `files.read` gives them.
        name: what a person calls the source.

    Raises:
        StepError: a column is missing or unknown, or a cell can't be read; the row is named.
    """
    check_columns([column for column in relation.columns if column != ROW], table, name)
    readings = {field.name: contract_column(relation, field, name) for field in SCHEMAS[table]}
    for column in relation.columns:
        if column not in readings and column != ROW:
            readings[column] = further_column(relation, column, table, name)
    _materialize(connection, relation, readings, name)
    if table == "interactions":
        return _identified()
    return _last_word(connection, table, name)


def check_columns(columns: list[str], table: str, name: str) -> None:
    """Refuse a table without what it needs, or with what nobody would read.

    Raises:
        StepError: names the column, and what is allowed.
    """
    known, required = SCHEMAS[table].names, REQUIRED[table]
    for column in columns:
        if column in known:
            continue
        if column.lower() in [*known, ROW]:
            raise StepError(f"{name}: column {column!r} must be written {column.lower()!r}")
        if table == "interactions":
            raise StepError(
                f"{name}: unknown column {column!r}; interactions may have {', '.join(known)}. "
                "Rename or drop it (what describes items and users goes into files of their own: "
                "--items, --users)"
            )
    if missing := [column for column in required if column not in columns]:
        raise StepError(
            f"{name}: column {', '.join(missing)} is missing; {table} need {', '.join(required)}, "
            f"this table has {', '.join(columns)}"
        )


def _materialize(
    connection: DuckDBPyConnection, relation: DuckDBPyRelation, readings: dict[str, Reading], name: str
) -> None:
    """The table `conformed`, once every cell could be read."""
    cells = [f"{reading.sql} AS {quote(column)}" for column, reading in readings.items()]
    faults = {column: reading for column, reading in readings.items() if reading.expected}
    for number, (column, reading) in enumerate(faults.items()):
        raw = f"nullif(trim({quote(column)}::VARCHAR), '')"
        cells.append(f"CASE WHEN {reading.broken} THEN {raw} END AS fault_{number}")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE conformed AS SELECT {ROW}, {', '.join(cells)} FROM relation"
    )
    for number, (column, reading) in enumerate(faults.items()):
        count, row, cell = connection.execute(
            f"SELECT count(*), min({ROW}), arg_min(fault_{number}, {ROW}) "
            f"FROM conformed WHERE fault_{number} IS NOT NULL"
        ).fetchall()[0]
        if count:
            raise StepError(
                f"{name}: row {row}: {column} {cell!r} can't be read; expected {reading.expected}. "
                f"{count} row(s) like this: correct them, or leave the cell empty"
            )
        connection.execute(f"ALTER TABLE conformed DROP COLUMN fault_{number}")


def _last_word(connection: DuckDBPyConnection, table: str, name: str) -> str:
    key = REQUIRED[table][0]
    (nameless,) = connection.execute(f"SELECT min({ROW}) FROM conformed WHERE {key} IS NULL").fetchall()[0]
    if nameless is not None:
        raise StepError(f"{name}: row {nameless}: {key} is empty; every row of {table} needs one")
    return f"SELECT * FROM conformed QUALIFY {ROW} = max({ROW}) OVER (PARTITION BY {key})"


def _identified() -> str:
    typed = f"SELECT * REPLACE ({DEFAULT_EVENT} AS event_type) FROM conformed"
    return f"SELECT * REPLACE (coalesce(interaction_id, {CONTENT_ID}) AS interaction_id) FROM ({typed})"
