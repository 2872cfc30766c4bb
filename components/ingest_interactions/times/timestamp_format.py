"""Detects the format of a time column: a time type, ISO 8601 text, or epoch numbers of some unit."""

from dataclasses import dataclass
from typing import Final

from duckdb import DuckDBPyRelation

from components.errors import StepError
from components.ingest_interactions.duckdb_session import quote

EXPECTED: Final = "ISO 8601 (2026-01-31T12:00:00Z) or epoch seconds, ms or µs"

# Smallest value (the year 1973), name, factor to microseconds.
UNITS: Final = (
    (1e17, "epoch nanoseconds", 1e-3),
    (1e14, "epoch microseconds", 1.0),
    (1e11, "epoch milliseconds", 1e3),
    (1e8, "epoch seconds", 1e6),
)
SAMPLE_ROWS: Final = 10_000


@dataclass(frozen=True)
class TimeFormat:
    """`sql` converts a value to BIGINT microseconds since the epoch, NULL for an invalid one."""

    label: str
    sql: str


def detect(relation: DuckDBPyRelation, column: str, name: str) -> TimeFormat:
    """Return the format of most of the first 10,000 values of `column`; text without an offset is UTC.

    Raises:
        StepError: the numbers are too small for any unit, or the column's type is no time.
    """
    kind = str(relation.select(quote(column)).types[0])
    if kind.startswith(("TIMESTAMP", "DATE")):
        return TimeFormat(kind.lower(), _micros(f"{quote(column)}::TIMESTAMPTZ"))
    if not is_number(kind) and kind != "VARCHAR":
        raise StepError(f"{name}: column {column} has the type {kind}; expected {EXPECTED}")
    sample = relation.filter(f"{quote(column)} IS NOT NULL").limit(SAMPLE_ROWS)
    number = f"TRY_CAST({quote(column)} AS DOUBLE)"
    finite = f"FILTER (isfinite({number}))"
    values, numbers, median = sample.aggregate(
        f"count(*), count(*) {finite}, quantile_disc(abs({number}), 0.5) {finite}"
    ).fetchall()[0]
    if 2 * numbers <= values:
        return TimeFormat("ISO 8601", _micros(f"TRY_CAST(trim({quote(column)}::VARCHAR) AS TIMESTAMPTZ)"))
    for minimum, label, factor in UNITS:
        if median >= minimum:
            return TimeFormat(label, f"TRY_CAST(round({number} * {factor!r}) AS BIGINT)")
    raise StepError(
        f"{name}: column {column} has numbers like {median:.0f}, which are before 1973 in every unit; "
        f"expected {EXPECTED}"
    )


def _micros(time: str) -> str:
    return f"CASE WHEN isfinite({time}) THEN epoch_us({time}) END"


def is_number(kind: str) -> bool:
    """Return whether an SQL type is numeric."""
    return (
        kind in {"FLOAT", "DOUBLE"} or kind.startswith("DECIMAL") or kind.endswith("INT") or "INTEGER" in kind
    )
