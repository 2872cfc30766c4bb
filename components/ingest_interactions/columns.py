"""How the cells of one column are read: an SQL expression of the contract's type."""

from dataclasses import dataclass

import pyarrow as pa
from duckdb import DuckDBPyRelation

from components.errors import StepError
from components.ingest_interactions import timestamps
from components.ingest_interactions.session import quote
from components.progress import report

NESTED = ("STRUCT", "MAP", "UNION", "BLOB")


@dataclass(frozen=True)
class Reading:
    """`sql` reads a cell; `broken` is true for a cell that holds something else than `expected`."""

    sql: str
    broken: str = "false"
    expected: str = ""


def contract_column(relation: DuckDBPyRelation, field: pa.Field, name: str) -> Reading:
    """A column of the contract; times as BIGINT microseconds, NULL throughout when the source has none.

    Raises:
        StepError: its type can't hold what the contract wants.
    """
    column = quote(field.name)
    if field.name not in relation.columns:
        return Reading(f"NULL::{_sql_type(field.type)}")
    if pa.types.is_timestamp(field.type):
        times = timestamps.detect(relation, field.name, name)
        report(f"{name}: {field.name} read as {times.label}")
        return Reading(times.sql, f"{times.sql} IS NULL", timestamps.EXPECTED)
    if pa.types.is_floating(field.type):
        number = f"TRY_CAST({column} AS DOUBLE)"
        return Reading(f"CASE WHEN NOT isnan({number}) THEN {number} END", f"{number} IS NULL", "a number")
    if pa.types.is_list(field.type):
        words = (
            f"{column}::VARCHAR[]"
            if _kind(relation, field.name).endswith("]")
            else f"string_split({column}, '|')"
        )
        return Reading(
            f"list_filter(list_transform({words}, lambda word: trim(word)), lambda word: word <> '')"
        )
    return Reading(_text(relation, field.name, name))


def further_column(relation: DuckDBPyRelation, column: str, table: str, name: str) -> Reading:
    """Any other column: numbers (users) or text, and for items lists of floats, in CSV written [0.1, 0.2].

    Raises:
        StepError: its type is none of these.
    """
    identifier, kind = quote(column), _kind(relation, column)
    element = kind.rsplit("[", 1)[0]
    is_list = kind.endswith("]")
    if kind.startswith(NESTED) or element.endswith("]") or (is_list and table == "users"):
        raise StepError(
            f"{name}: column {column} holds {kind}; expected text, numbers or (items) lists of numbers"
        )
    if is_list:
        return Reading(
            f"array_to_string({identifier}, ' ')" if element == "VARCHAR" else f"{identifier}::FLOAT[]"
        )
    if timestamps.is_number(kind) and table == "users":
        return Reading(f"{identifier}::DOUBLE")
    text = _missing_if_empty(identifier)
    is_embedding = f"bool_and({text}[1] = '[' AND TRY_CAST({text} AS FLOAT[]) IS NOT NULL)"
    if table == "items" and _over_filled(relation, text, is_embedding):
        return Reading(f"{text}::FLOAT[]")
    return Reading(text)


def _text(relation: DuckDBPyRelation, column: str, name: str) -> str:
    identifier, kind = quote(column), _kind(relation, column)
    if kind.endswith("]") or kind.startswith(NESTED):
        raise StepError(f"{name}: column {column} holds {kind}; expected text or whole numbers")
    if kind in {"FLOAT", "DOUBLE"}:
        whole = f"{identifier} = trunc({identifier})"
        return f"CASE WHEN {whole} THEN {identifier}::HUGEINT::VARCHAR ELSE {identifier}::VARCHAR END"
    text = _missing_if_empty(identifier)
    if not column.endswith("_id"):
        return text
    all_whole = _over_filled(relation, text, f"bool_and(regexp_full_match({text}, '-?[0-9]+[.]0'))")
    return rf"regexp_replace({text}, '^(-?[0-9]+)[.]0$', '\1')" if all_whole else text


def _over_filled(relation: DuckDBPyRelation, text: str, aggregate: str) -> bool:
    """An aggregate over the first 10,000 cells that hold something."""
    sample = relation.filter(f"{text} IS NOT NULL").limit(timestamps.SAMPLE_ROWS)
    return bool(sample.aggregate(aggregate).fetchall()[0][0])


def _missing_if_empty(identifier: str) -> str:
    return f"nullif({identifier}::VARCHAR, '')"


def _kind(relation: DuckDBPyRelation, column: str) -> str:
    return str(relation.select(quote(column)).types[0])


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "BIGINT"
    if pa.types.is_list(kind):
        return "VARCHAR[]"
    return "DOUBLE" if pa.types.is_floating(kind) else "VARCHAR"
