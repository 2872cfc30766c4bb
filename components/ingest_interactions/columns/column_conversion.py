"""SQL expressions that convert the cells of a mapped table to the contract's types."""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from duckdb import DuckDBPyRelation

from components.errors import StepError
from components.ingest_interactions.columns import categories
from components.ingest_interactions.columns.mapped_table import MappedTable
from components.ingest_interactions.columns.missing_values import cleaned, is_missing_word, trimmed
from components.ingest_interactions.columns.numbers import number
from components.ingest_interactions.duckdb_session import finite, finite_vector, quote
from components.ingest_interactions.times import timestamp_format
from components.ingest_interactions.times.time_column import SAMPLE_ROWS

NESTED: Final = ("STRUCT", "MAP", "UNION")
FLOATS: Final = ("FLOAT", "DOUBLE")
# Whole numbers above this are not exact in a float of 64 bits.
EXACT_FLOAT: Final = 2**53
INFINITE: Final = "infinite, read as missing"
NOT_FINITE: Final = "some numbers are NaN, infinite or missing, so the vector counts as missing"


@dataclass(frozen=True)
class Conversion:
    """How a cell is converted.

    Attributes:
        sql: the converted cell.
        invalid: true for a cell that is not `expected`, such as "a number"; such a cell is an error.
        notes: what to tell the user -> condition of the cells that it is about.
        read_as: how the column was understood, a line each, such as "read as epoch seconds".
    """

    sql: str
    invalid: str = "false"
    expected: str = ""
    notes: tuple[tuple[str, str], ...] = ()
    read_as: tuple[str, ...] = ()


def contract_column(mapped: MappedTable, field: pa.Field) -> Conversion:
    """Convert a column of the contract; times to BIGINT microseconds, an absent column to NULL.

    Raises:
        StepError: the column's type can't be converted.
    """
    relation, column = mapped.relation, quote(field.name)
    if field.name not in relation.columns:
        return Conversion(f"NULL::{_sql_type(field.type)}")
    if pa.types.is_timestamp(field.type):
        times = timestamp_format.detect(relation, field.name, mapped.name, mapped.times)
        read_as = (f"read as {times.label}", *times.notes)
        return Conversion(times.sql, times.invalid, times.expected, read_as=read_as)
    if pa.types.is_floating(field.type):
        sql, label = number(relation, column)
        present = cleaned(f"{column}::VARCHAR")
        return Conversion(
            finite(sql),
            f"{present} IS NOT NULL AND NOT coalesce(isfinite({sql}), false)",
            "a number",
            read_as=(f"read as {label}",) if label else (),
        )
    if pa.types.is_list(field.type):
        separator = mapped.mapping.layout.category_separator if mapped.mapping.layout else ""
        is_list = kind(relation, field.name).endswith("]")
        sql, label = categories.words(relation, column, is_list, separator)
        return Conversion(sql, read_as=(f"read as {label}",))
    return _text(mapped, field.name)


def extra_column(mapped: MappedTable, column: str) -> Conversion:
    """Convert a column that is not in the contract.

    Users: numbers or text. Items: text, or lists of floats, written as [0.1, 0.2] in CSV.
    """
    identifier, sql_type = quote(column), kind(mapped.relation, column)
    element = sql_type.rsplit("[", 1)[0]
    if sql_type.endswith("]"):
        if mapped.table == "items" and timestamp_format.is_number(element):
            return _vector(f"{identifier}::FLOAT[]")
        return Conversion(f"nullif(array_to_string({identifier}, ' '), '')")
    if timestamp_format.is_number(sql_type) and mapped.table == "users":
        number_of_user = f"{identifier}::DOUBLE"
        return Conversion(finite(number_of_user), notes=((INFINITE, f"isinf({number_of_user})"),))
    text = cleaned(_as_text(identifier, sql_type))
    is_embedding = f"bool_and({text}[1] = '[' AND TRY_CAST({text} AS FLOAT[]) IS NOT NULL)"
    if mapped.table == "items" and _aggregate_sample(mapped.relation, text, is_embedding):
        return _vector(f"{text}::FLOAT[]")
    return Conversion(text)


def _vector(vector: str) -> Conversion:
    return Conversion(
        finite_vector(vector),
        notes=((NOT_FINITE, f"{vector} IS NOT NULL AND {finite_vector(vector)} IS NULL"),),
    )


def kind(relation: DuckDBPyRelation, column: str) -> str:
    """Return the SQL type of a column."""
    return str(relation.select(quote(column)).types[0])


def _text(mapped: MappedTable, column: str) -> Conversion:
    identifier, sql_type = quote(column), kind(mapped.relation, column)
    if sql_type.endswith("]") or sql_type.startswith(NESTED):
        raise StepError(
            f"{mapped.name}: column {mapped.mapping.source(column)} has the type {sql_type}; "
            "expected text or whole numbers"
        )
    if sql_type in FLOATS or sql_type.startswith("DECIMAL"):
        return _from_number(identifier, sql_type)
    text = _as_text(identifier, sql_type)
    has_blanks = f"{trimmed(text)} <> {text} AND {trimmed(text)} <> ''"
    notes = {
        "blanks around the text are removed": has_blanks,
        "a word for a missing value, read as empty": is_missing_word(text),
    }
    if column.endswith("_id") and _all_whole(mapped.relation, cleaned(text)):
        whole = f"regexp_replace({cleaned(text)}, '^(-?[0-9]+)[.]0+$', '\\1')"
        notes["whole numbers such as 12.0 are read as 12"] = f"{whole} <> {cleaned(text)}"
        return Conversion(whole, notes=tuple(notes.items()))
    return Conversion(cleaned(text), notes=tuple(notes.items()))


def _from_number(identifier: str, sql_type: str) -> Conversion:
    """Write whole floats and decimals without a fraction."""
    without_fraction = f"TRY_CAST({identifier} AS HUGEINT)::VARCHAR"
    text = (
        f"CASE WHEN {identifier} = trunc({identifier}) THEN {without_fraction} ELSE {identifier}::VARCHAR END"
    )
    if sql_type.startswith("DECIMAL"):
        return Conversion(text)
    inexact = f"abs({identifier}) > {EXACT_FLOAT}"
    advice = "a float above 2^53, whose last digits are lost; write the column as text or whole numbers"
    return Conversion(
        f"CASE WHEN {finite(identifier)} IS NOT NULL THEN {text} END", notes=((advice, inexact),)
    )


def _as_text(identifier: str, sql_type: str) -> str:
    if sql_type == "JSON":
        return f"json_extract_string({identifier}, '$')"
    return f"decode({identifier})" if sql_type == "BLOB" else f"{identifier}::VARCHAR"


def _all_whole(relation: DuckDBPyRelation, text: str) -> bool:
    """Return whether every cell is a whole number with a fraction of zeros, as in 12.0."""
    all_whole = f"bool_and(regexp_full_match({text}, '-?[0-9]+[.]0+'))"
    return _aggregate_sample(relation, text, all_whole) and bool(
        relation.filter(f"{text} IS NOT NULL").aggregate(all_whole).fetchall()[0][0]
    )


def _aggregate_sample(relation: DuckDBPyRelation, text: str, aggregate: str) -> bool:
    """Return whether a boolean aggregate holds for the first 10,000 cells with a value."""
    sample = relation.filter(f"{text} IS NOT NULL").limit(SAMPLE_ROWS)
    return bool(sample.aggregate(aggregate).fetchall()[0][0])


def _sql_type(field_type: pa.DataType) -> str:
    if pa.types.is_timestamp(field_type):
        return "BIGINT"
    if pa.types.is_list(field_type):
        return "VARCHAR[]"
    return "DOUBLE" if pa.types.is_floating(field_type) else "VARCHAR"
