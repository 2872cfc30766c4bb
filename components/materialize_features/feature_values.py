"""Encodes columns of feature tables as Feast stores them: a Value message for each cell."""

import math
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from serving.protos.feature_store_pb2 import DoubleList, FloatList, Int64List, StringList, Value

# A value's message, and its text, which Feast's SQL stores keep too; a list has none.
Cell = tuple[bytes, str | None]

# A null, and a number that is NaN; Feast makes no difference.
UNSET: Final[Cell] = (b"", None)

# The types that feature_repo.feature_views gives its fields.
_SCALARS: Final[dict[pa.DataType, Callable[[Any], Value]]] = {
    pa.string(): lambda value: Value(string_val=value),
    pa.int64(): lambda value: Value(int64_val=value),
    pa.float64(): lambda value: Value(double_val=value),
}
_LISTS: Final[dict[pa.DataType, Callable[[list[Any]], Value]]] = {
    pa.string(): lambda values: Value(string_list_val=StringList(val=values)),
    pa.int64(): lambda values: Value(int64_list_val=Int64List(val=values)),
    pa.float32(): lambda values: Value(float_list_val=FloatList(val=values)),
    pa.float64(): lambda values: Value(double_list_val=DoubleList(val=values)),
}


def encode(column: pa.Array) -> list[Cell]:
    """Return the cells of a column, whose type is one of those of feature_repo.feature_views."""
    return _encode_lists(column) if pa.types.is_list(column.type) else _encode_scalars(column)


def _encode_scalars(column: pa.Array) -> list[Cell]:
    message = _SCALARS[column.type]
    return [
        UNSET
        if value is None or (isinstance(value, float) and math.isnan(value))
        else (message(value).SerializeToString(), str(value))
        for value in column.to_pylist()
    ]


def _encode_lists(column: pa.Array) -> list[Cell]:
    message = _LISTS[column.type.value_type]
    # Through NumPy, because Arrow's own to_pylist takes several times as long for nested lists.
    values = column.flatten().to_numpy(zero_copy_only=False).tolist()
    cells, start = list[Cell](), 0
    for length in pc.list_value_length(column).to_pylist():
        if length is None:
            cells.append(UNSET)
            continue
        cells.append((message(values[start : start + length]).SerializeToString(), None))
        start += length
    return cells
