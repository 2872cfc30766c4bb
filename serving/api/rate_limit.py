"""A limit on the requests per second of one client address."""

from collections import OrderedDict
from threading import Lock
from time import monotonic
from typing import Final

from serving.errors import TooManyRequests

# Number of addresses kept; the least recently used one is dropped first.
_MAX_ADDRESSES: Final = 10_000


class RateLimit:
    """A token bucket for each client address, which holds one second's requests.

    Each worker process counts the calls of its own connections. A client with one connection gets the limit
    as set; a client with many connections gets up to the limit times the number of workers.
    """

    def __init__(self, requests_per_second: float) -> None:
        """`requests_per_second`: 0 disables the limit."""
        self._rate = requests_per_second
        self._capacity = max(1.0, requests_per_second)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def take(self, peer: str) -> None:
        """Take a token from the bucket of `peer` (gRPC's form, `ipv4:10.0.0.1:4242`).

        Raises:
            TooManyRequests: the bucket is empty.
        """
        if not self._rate:
            return
        address, now = peer.rpartition(":")[0], monotonic()
        with self._lock:
            tokens, updated = self._buckets.pop(address, (self._capacity, now))
            tokens = min(self._capacity, tokens + (now - updated) * self._rate)
            self._buckets[address] = (max(0.0, tokens - 1), now)
            if len(self._buckets) > _MAX_ADDRESSES:
                self._buckets.popitem(last=False)
        if tokens < 1:
            raise TooManyRequests(
                f"expected at most {self._rate:g} requests per second from one address, got more; "
                "send fewer, and retry in a second"
            )
