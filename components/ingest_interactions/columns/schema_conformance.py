"""Converts a mapped table to the contract's columns and types.

Rules for missing and loosely typed cells:

- *missing id*: an empty cell is null; validation quarantines such interactions.
- *content id*: an interaction without an id gets a hash of its content, so that exact duplicates are one.
- *default event type*: an interaction without an event type is a "search" if it has words and no item, a
  "rate" if it has a value, else a "view".
- *words of a search*: kept for interactions without an item only.
- *ids*: text as it is, without blanks around it; whole floats and decimals without a fraction.
- *last row wins*: if a file has several rows of an item or user, the last one counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from components.errors import StepError
from components.ingest_interactions.columns.column_conversion import Conversion, contract_column, extra_column
from components.ingest_interactions.columns.column_mapping import REQUIRED, ROW
from components.ingest_interactions.columns.mapped_table import MappedTable
from components.ingest_interactions.columns.pseudonym_column import pseudonymise
from components.ingest_interactions.duckdb_session import literal, quote
from components.progress import report
from feature_repo.counts import counted
from feature_repo.event_types import default_event_type
from feature_repo.pseudonyms import Pseudonyms
from feature_repo.table_schemas import INTERACTIONS, ITEMS, USERS

SCHEMAS: Final = {"interactions": INTERACTIONS, "items": ITEMS, "users": USERS}

DEFAULT_EVENT: Final = (
    'coalesce(event_type, CASE WHEN item_id IS NULL AND "query" IS NOT NULL '
    f"THEN {literal(default_event_type(False, True))} "
    f"WHEN value IS NULL THEN {literal(default_event_type(False))} "
    f"ELSE {literal(default_event_type(True))} END)"
)
WORDS: Final = 'CASE WHEN item_id IS NULL THEN "query" END'

# 80 bits of a hash: the chance of any collision among a billion interactions is below one in a million.
CONTENT_ID: Final = """substr(md5(concat_ws(chr(31), coalesce(user_id, ''), coalesce(item_id, ''), event_type,
    coalesce(value::VARCHAR, ''), coalesce("timestamp"::VARCHAR, ''), coalesce(domain, ''), "query")),
    1, 20)"""


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


@dataclass(frozen=True)
class Finding:
    """Cells of a column that are invalid, if `expected` says what they should be, or that were changed."""

    column: str
    rows: int
    first_row: int | None  # None if the rows are not numbered
    cell: str
    expected: str
    note: str

    @property
    def text(self) -> str:
        """The finding in one line."""
        row = "" if self.first_row is None else f"row {self.first_row}: "
        where = f"{row}{self.column} is {self.cell!r}"
        if self.expected:
            return f"{where}; expected {self.expected}. Rows with this problem: {self.rows:,}"
        return f"{counted(self.rows, 'cell')} of {self.column}: {self.note}, as in {row}{self.cell!r}"


def conform(connection: DuckDBPyConnection, mapped: MappedTable, pseudonyms: Pseudonyms | None = None) -> str:
    """Return SQL for the contract's columns (times as BIGINT µs), extra columns, and `source_row`.

    Args:
        pseudonyms: replace the user ids, also in the ids that interactions get from their content.

    Raises:
        StepError: a cell is invalid; the message has its row.
    """
    converted = conversions(mapped)
    for line in reading_lines(mapped, converted):
        report(f"{mapped.name}: {line}")
    for finding in convert(connection, mapped, converted):
        if finding.expected:
            raise StepError(f"{mapped.name}: {finding.text}: correct the cells, or leave them empty")
        report(f"{mapped.name}: {finding.text}")
    if pseudonyms and "user_id" in converted:
        pseudonymise(connection, pseudonyms, mapped.table, mapped.name)
    if mapped.table == "interactions":
        return with_ids()
    return _last_rows(connection, mapped)


def reading_lines(mapped: MappedTable, converted: dict[str, Conversion]) -> list[str]:
    """Return how the columns were understood, such as "timestamp (ts) read as epoch seconds"."""
    return [
        f"{mapped.mapping.source(column)} {line}"
        for column, conversion in converted.items()
        for line in conversion.read_as
    ]


def convert(
    connection: DuckDBPyConnection,
    mapped: MappedTable,
    converted: dict[str, Conversion],
    sample: DuckDBPyRelation | None = None,
) -> list[Finding]:
    """Create the table `conformed`; return what was found in its columns.

    Args:
        converted: the result of `conversions`.
        sample: some rows of the table; None for all.
    """
    cells = [f"{conversion.sql} AS {quote(column)}" for column, conversion in converted.items()]
    checks = list(_checks(converted))
    for number, (column, condition, _, _) in enumerate(checks):
        raw = f"nullif(trim({quote(column)}::VARCHAR), '')"
        cells.append(f"CASE WHEN {condition} THEN {raw} END AS check_{number}")
    source = mapped.relation if sample is None else sample
    converted_rows = source.project(f"{ROW}, {', '.join(cells)}")
    converted_rows.query("converted_rows", "CREATE OR REPLACE TEMP TABLE conformed AS FROM converted_rows")
    findings = []
    for number, (column, _, expected, note) in enumerate(checks):
        count, row, cell = connection.execute(
            f"SELECT count(check_{number}), min({ROW}) FILTER (check_{number} IS NOT NULL), "
            f"coalesce(arg_min(check_{number}, {ROW}), any_value(check_{number})) FROM conformed"
        ).fetchall()[0]
        if count:
            findings.append(Finding(mapped.mapping.source(column), count, row, cell, expected, note))
        connection.execute(f"ALTER TABLE conformed DROP COLUMN check_{number}")
    return findings


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


def with_ids() -> str:
    """Return SQL for the rows of `conformed` with default event types, and ids from their content."""
    with_types = f'SELECT * REPLACE ({DEFAULT_EVENT} AS event_type, {WORDS} AS "query") FROM conformed'
    return f"SELECT * REPLACE (coalesce(interaction_id, {CONTENT_ID}) AS interaction_id) FROM ({with_types})"
