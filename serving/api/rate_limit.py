"""A limit on the requests per second of one client address."""

from serving.api.token_buckets import TokenBuckets
from serving.errors import TooManyRequests


class RateLimit:
    """A token bucket for each client address, which holds one second's requests.

    Each worker process counts the calls of its own connections. A client with one connection gets the limit
    as set; a client with many connections gets up to the limit times the number of workers.
    """

    def __init__(self, requests_per_second: float) -> None:
        """`requests_per_second`: 0 disables the limit."""
        self._rate = requests_per_second
        self._buckets = TokenBuckets(requests_per_second, max(1.0, requests_per_second))

    def take(self, peer: str) -> None:
        """Take a token from the bucket of `peer` (gRPC's form, `ipv4:10.0.0.1:4242`).

        Raises:
            TooManyRequests: the bucket is empty.
        """
        if self._rate and not self._buckets.take(address_of(peer)):
            raise TooManyRequests(
                f"expected at most {self._rate:g} requests per second from one address, got more; "
                "send fewer, and retry in a second",
                limit="rate",
            )


def address_of(peer: str) -> str:
    """Return a peer without its port, which differs from connection to connection."""
    return peer.rpartition(":")[0]
