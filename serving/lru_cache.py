"""Caches that drop the least recently used value."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """At most `size` values by key; the least recently used is dropped. Thread-safe."""

    def __init__(self, size: int) -> None:
        self._values, self._size, self._lock = OrderedDict[K, V](), size, Lock()

    def get(self, key: K) -> V | None:
        """Return the value of a key, None if there is none."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def discard(self, condition: Callable[[K], bool]) -> None:
        """Drop the values of the keys that meet a condition."""
        with self._lock:
            keys = list(self._values)
        dropped = [key for key in keys if condition(key)]
        with self._lock:
            for key in dropped:
                self._values.pop(key, None)

    def put(self, key: K, value: V) -> None:
        """Set the value of a key."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._size:
                self._values.popitem(last=False)


class VersionedCache(Generic[K, V]):
    """An LruCache of one value per key, which is valid only for the version that it was computed from.

    A new version replaces the value, so that outdated values take no memory.
    """

    def __init__(self, size: int) -> None:
        self._entries = LruCache[K, tuple[Hashable, V]](size)

    def get(self, key: K, version: Hashable) -> V | None:
        """Return the value of a key, None if there is none of this version."""
        entry = self._entries.get(key)
        return entry[1] if entry is not None and entry[0] == version else None

    def discard(self, condition: Callable[[K], bool]) -> None:
        """Drop the values of the keys that meet a condition."""
        self._entries.discard(condition)

    def put(self, key: K, version: Hashable, value: V) -> None:
        """Set the value of a key."""
        self._entries.put(key, (version, value))
