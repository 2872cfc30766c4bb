"""Moments as microseconds since the epoch and as timestamps."""

from datetime import UTC, datetime, timedelta

import ibis
import ibis.expr.types as ir

TIMESTAMP = "timestamp('UTC', 6)"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int) -> datetime:
    """Exact, where datetime.fromtimestamp rounds a float."""
    return _EPOCH + timedelta(microseconds=microseconds)


def timestamp(microseconds: int) -> ir.TimestampScalar:
    return ibis.literal(moment(microseconds), type=TIMESTAMP)


def microseconds(column: ir.TimestampColumn) -> ir.IntegerColumn:
    """int64 µs since the epoch, exactly; seconds come back as floats from DuckDB."""
    return column.delta(_EPOCH, unit="microsecond")
