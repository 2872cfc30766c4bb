"""A limit on the tokens that one connection and one address may try."""

from typing import Final

from serving.api.rate_limit import address_of
from serving.api.token_buckets import TokenBuckets
from serving.errors import TooManyRequests

# Failures per second, and the first ones in a row, of a connection that never had a valid token.
_CONNECTION: Final = (1.0, 10.0)

# The same of all such connections of an address together.
_ADDRESS: Final = (10.0, 100.0)

# Number of connections kept that had a valid token.
_MAX_TRUSTED: Final = 10_000


class GuessLimit:
    """Refuses calls, without a look at their token, of connections and addresses with many wrong tokens.

    It never refuses a connection that had a valid token: it may be a proxy's, which carries calls of several
    clients. A single client with an old token fills its own connection's limit, and not its address's.
    """

    def __init__(self) -> None:
        self._connections, self._addresses = TokenBuckets(*_CONNECTION), TokenBuckets(*_ADDRESS)
        self._trusted = dict[str, None]()

    def check(self, peer: str) -> None:
        """Check a call of `peer` (gRPC's form, `ipv4:10.0.0.1:4242`).

        Raises:
            TooManyRequests: too many tokens of this connection or its address were wrong.
        """
        if peer in self._trusted:
            return
        if self._connections.is_empty(peer) or self._addresses.is_empty(address_of(peer)):
            raise TooManyRequests(
                "authorization: expected valid tokens, got too many wrong ones: at most "
                f"{_CONNECTION[0]:g} per second from one connection, and {_ADDRESS[0]:g} per second from one "
                "address; correct the token, then retry in a second",
                limit="guesses",
            )

    def count_failure(self, peer: str) -> None:
        """Count a wrong token."""
        self._connections.take(peer)
        self._addresses.take(address_of(peer))

    def trust(self, peer: str) -> None:
        """Remember that the connection had a valid token."""
        if peer not in self._trusted:
            self._trusted[peer] = None
            if len(self._trusted) > _MAX_TRUSTED:
                del self._trusted[next(iter(self._trusted))]
