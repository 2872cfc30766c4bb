"""Admission of a call by its address and token, before its message is read."""

from collections.abc import Mapping

from serving.api.authorization import Authorizer, is_public
from serving.api.guess_limit import GuessLimit
from serving.api.rate_limit import RateLimit
from serving.configuration.settings import Scope
from serving.errors import Unauthenticated


class Admission:
    """The rate limit, then the limit on wrong tokens, then the token. Public methods have neither limit."""

    def __init__(self, rate_limit: RateLimit, authorizer: Authorizer) -> None:
        self._rate_limit, self._authorizer, self._guesses = rate_limit, authorizer, GuessLimit()

    def check(self, method: str, metadata: Mapping[str, str | bytes], peer: str) -> frozenset[Scope]:
        """Return the scopes of the call's token.

        Raises:
            TooManyRequests: the address called too often, or tried too many tokens.
            Unauthenticated: the call has no token, or an unknown one.
            Forbidden: the token lacks the scope.
        """
        if is_public(method):
            return self._authorizer.check(method, metadata)
        self._rate_limit.take(peer)
        self._guesses.check(peer)
        try:
            scopes = self._authorizer.check(method, metadata)
        except Unauthenticated:
            self._guesses.count_failure(peer)
            raise
        self._guesses.trust(peer)
        return scopes
