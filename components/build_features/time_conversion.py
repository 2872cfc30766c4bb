"""Converts between microseconds since the epoch and timestamps."""

from datetime import UTC, datetime, timedelta

import ibis
import ibis.expr.types as ir

TIMESTAMP = "timestamp('UTC', 6)"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_datetime(microseconds: int) -> datetime:
    """Return the exact time in UTC; datetime.fromtimestamp rounds, because it takes a float."""
    return _EPOCH + timedelta(microseconds=microseconds)


def timestamp(microseconds: int) -> ir.TimestampScalar:
    """Return a literal of the type TIMESTAMP."""
    return ibis.literal(to_datetime(microseconds), type=TIMESTAMP)


def microseconds(column: ir.TimestampColumn) -> ir.IntegerColumn:
    """Return int64 µs since the epoch. Exact: DuckDB returns seconds as floats."""
    return column.delta(_EPOCH, unit="microsecond")
