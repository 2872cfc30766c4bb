"""A list that is put together whenever it is looked at: most are kept, and few are looked at."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any


class LazyList(Sequence[Any]):
    """Equal to each sequence of the same values."""

    __slots__ = ()

    @abstractmethod
    def _read(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]:
        return iter(self._read())

    def __getitem__(self, place: Any) -> Any:
        return self._read()[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._read() == list(other)

    __hash__ = None  # type: ignore[assignment]
