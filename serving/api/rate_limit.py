"""How many requests a second one client address may send."""

from collections import OrderedDict
from threading import Lock
from time import monotonic
from typing import Final

from serving.errors import TooMany

# Addresses remembered; the one that asked longest ago is forgotten first.
_ADDRESSES: Final = 10_000


class RateLimit:
    """A token bucket for each address, as deep as one second's requests."""

    def __init__(self, requests_per_second: float) -> None:
        """0 is no limit."""
        self._rate = requests_per_second
        self._depth = max(1.0, requests_per_second)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def take(self, peer: str) -> None:
        """Count a request of `peer` (gRPC's form, `ipv4:10.0.0.1:4242`).

        Raises:
            TooMany: its bucket is empty.
        """
        if not self._rate:
            return
        address, now = peer.rpartition(":")[0], monotonic()
        with self._lock:
            filled, since = self._buckets.pop(address, (self._depth, now))
            filled = min(self._depth, filled + (now - since) * self._rate)
            self._buckets[address] = (max(0.0, filled - 1), now)
            if len(self._buckets) > _ADDRESSES:
                self._buckets.popitem(last=False)
        if filled < 1:
            raise TooMany(
                f"more than {self._rate:g} requests a second from this address: slow down and retry"
            )
