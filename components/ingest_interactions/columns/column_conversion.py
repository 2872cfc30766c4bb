"""SQL expressions that convert the cells of a source's column to the contract's type."""

from dataclasses import dataclass

import pyarrow as pa
from duckdb import DuckDBPyRelation

from components.errors import StepError
from components.ingest_interactions.duckdb_session import quote
from components.ingest_interactions.times import timestamp_format
from components.progress import report

NESTED = ("STRUCT", "MAP", "UNION", "BLOB")


@dataclass(frozen=True)
class Conversion:
    """`sql` converts a cell; `invalid` is true for a cell that is not `expected`, such as "a number"."""

    sql: str
    invalid: str = "false"
    expected: str = ""


def contract_column(relation: DuckDBPyRelation, field: pa.Field, name: str) -> Conversion:
    """Convert a column of the contract; times to BIGINT microseconds, an absent column to NULL.

    Args:
        name: the source in error messages, such as a file name.

    Raises:
        StepError: the column's type can't be converted.
    """
    column = quote(field.name)
    if field.name not in relation.columns:
        return Conversion(f"NULL::{_sql_type(field.type)}")
    if pa.types.is_timestamp(field.type):
        times = timestamp_format.detect(relation, field.name, name)
        report(f"{name}: {field.name} read as {times.label}")
        return Conversion(times.sql, f"{times.sql} IS NULL", timestamp_format.EXPECTED)
    if pa.types.is_floating(field.type):
        number = f"TRY_CAST({column} AS DOUBLE)"
        return Conversion(f"CASE WHEN NOT isnan({number}) THEN {number} END", f"{number} IS NULL", "a number")
    if pa.types.is_list(field.type):
        words = (
            f"{column}::VARCHAR[]"
            if _kind(relation, field.name).endswith("]")
            else f"string_split({column}, '|')"
        )
        return Conversion(
            f"list_filter(list_transform({words}, lambda word: trim(word)), lambda word: word <> '')"
        )
    return Conversion(_text(relation, field.name, name))


def extra_column(relation: DuckDBPyRelation, column: str, table: str, name: str) -> Conversion:
    """Convert a column that is not in the contract.

    Users: numbers or text. Items: text, or lists of floats, written as [0.1, 0.2] in CSV.

    Raises:
        StepError: the column has another type.
    """
    identifier, kind = quote(column), _kind(relation, column)
    element = kind.rsplit("[", 1)[0]
    is_list = kind.endswith("]")
    if kind.startswith(NESTED) or element.endswith("]") or (is_list and table == "users"):
        raise StepError(
            f"{name}: column {column} has the type {kind}; expected text, numbers or (items) lists of numbers"
        )
    if is_list:
        return Conversion(
            f"array_to_string({identifier}, ' ')" if element == "VARCHAR" else f"{identifier}::FLOAT[]"
        )
    if timestamp_format.is_number(kind) and table == "users":
        return Conversion(f"{identifier}::DOUBLE")
    text = _null_if_empty(identifier)
    is_embedding = f"bool_and({text}[1] = '[' AND TRY_CAST({text} AS FLOAT[]) IS NOT NULL)"
    if table == "items" and _aggregate_sample(relation, text, is_embedding):
        return Conversion(f"{text}::FLOAT[]")
    return Conversion(text)


def _text(relation: DuckDBPyRelation, column: str, name: str) -> str:
    identifier, kind = quote(column), _kind(relation, column)
    if kind.endswith("]") or kind.startswith(NESTED):
        raise StepError(f"{name}: column {column} has the type {kind}; expected text or whole numbers")
    if kind in {"FLOAT", "DOUBLE"}:
        whole = f"{identifier} = trunc({identifier})"
        return f"CASE WHEN {whole} THEN {identifier}::HUGEINT::VARCHAR ELSE {identifier}::VARCHAR END"
    text = _null_if_empty(identifier)
    if not column.endswith("_id"):
        return text
    all_whole = _aggregate_sample(relation, text, f"bool_and(regexp_full_match({text}, '-?[0-9]+[.]0'))")
    return rf"regexp_replace({text}, '^(-?[0-9]+)[.]0$', '\1')" if all_whole else text


def _aggregate_sample(relation: DuckDBPyRelation, text: str, aggregate: str) -> bool:
    """Return whether a boolean aggregate holds for the first 10,000 cells with a value."""
    sample = relation.filter(f"{text} IS NOT NULL").limit(timestamp_format.SAMPLE_ROWS)
    return bool(sample.aggregate(aggregate).fetchall()[0][0])


def _null_if_empty(identifier: str) -> str:
    return f"nullif({identifier}::VARCHAR, '')"


def _kind(relation: DuckDBPyRelation, column: str) -> str:
    return str(relation.select(quote(column)).types[0])


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "BIGINT"
    if pa.types.is_list(kind):
        return "VARCHAR[]"
    return "DOUBLE" if pa.types.is_floating(kind) else "VARCHAR"
