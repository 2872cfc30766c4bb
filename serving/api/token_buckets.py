"""Token buckets by key, of which the least recently used ones are forgotten."""

from collections import OrderedDict
from threading import Lock
from time import monotonic
from typing import Final

# Number of buckets kept.
_MAX_KEYS: Final = 10_000


class TokenBuckets:
    """A bucket for each key, full at first, which gets `rate` tokens per second up to `capacity`."""

    def __init__(self, rate: float, capacity: float) -> None:
        self._rate, self._capacity = rate, capacity
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key -> tokens, updated at
        self._lock = Lock()

    def take(self, key: str) -> bool:
        """Take a token from the bucket of `key`; return False if it is empty."""
        with self._lock:
            tokens, now = self._tokens(key)
            self._buckets[key] = (max(0.0, tokens - 1), now)
            self._buckets.move_to_end(key)
            if len(self._buckets) > _MAX_KEYS:
                self._buckets.popitem(last=False)
        return tokens >= 1

    def is_empty(self, key: str) -> bool:
        """Return whether `take` would find the bucket empty."""
        if key not in self._buckets:
            return False
        with self._lock:
            return self._tokens(key)[0] < 1

    def _tokens(self, key: str) -> tuple[float, float]:
        now = monotonic()
        tokens, updated = self._buckets.get(key, (self._capacity, now))
        return min(self._capacity, tokens + (now - updated) * self._rate), now
