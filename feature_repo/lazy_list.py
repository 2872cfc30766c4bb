"""A sequence that builds its values on access, for data that is often cached and rarely read."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any


class LazyList(Sequence[Any]):
    """Base class; equal to any sequence of the same values."""

    __slots__ = ()

    @abstractmethod
    def _read(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]:
        return iter(self._read())

    def __getitem__(self, index: Any) -> Any:
        return self._read()[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._read() == list(other)

    __hash__ = None  # type: ignore[assignment]
