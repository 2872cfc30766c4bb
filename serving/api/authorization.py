"""Authorization of calls by bearer tokens with scopes."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

from serving.configuration.settings import Scope
from serving.errors import Forbidden, Unauthenticated

_SERVICE: Final = "/penchant.v1.RecommenderService/"

# A method that is not listed (reflection) needs the scope admin. The scope admin allows every method.
_SCOPES: Final[Mapping[str, Scope]] = {
    f"{_SERVICE}Recommend": "recommend",
    f"{_SERVICE}GetInterests": "recommend",
    f"{_SERVICE}RecordInteractions": "record",
}

# Load balancers check the health without a token.
_PUBLIC: Final = "/grpc.health.v1.Health/"


class Authorizer:
    """Checks the token of a call against the scope that its method needs; keeps digests, not tokens."""

    def __init__(self, tokens: Mapping[Scope, Sequence[str]]) -> None:
        """`tokens`: tokens by scope; without any token, every call is allowed."""
        self._digests = [(_digest(token), scope) for scope, texts in tokens.items() for token in texts]

    def check(self, method: str, metadata: Mapping[str, str | bytes]) -> None:
        """Check a call of `method` (`/package.Service/Method`).

        Raises:
            Unauthenticated: the metadata has no token, or an unknown one.
            Forbidden: the token lacks the scope.
        """
        if not self._digests or method.startswith(_PUBLIC):
            return
        digest = _digest(str(metadata.get("authorization", "")).removeprefix("Bearer "))
        # Compares with every digest, so that the time taken does not reveal which one matched.
        scopes = {scope for valid, scope in self._digests if hmac.compare_digest(valid, digest)}
        if not scopes:
            raise Unauthenticated(
                "authorization: expected metadata 'authorization: Bearer TOKEN' with a valid token; "
                "ask the operator of this service for one"
            )
        needed = _SCOPES.get(method, "admin")
        if not scopes & {needed, "admin"}:
            raise Forbidden(f"authorization: {method} needs a token with scope {needed!r}")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
