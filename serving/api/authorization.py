"""Authorization of calls by bearer tokens with scopes."""

import hashlib
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Final, get_args

from serving.configuration.settings import Scope
from serving.errors import Forbidden, Unauthenticated

_SERVICE: Final = "/penchant.v1.RecommenderService/"

# A method that is not listed (reflection) needs the scope admin. The scope admin allows every method.
_SCOPES: Final[Mapping[str, Scope]] = {
    f"{_SERVICE}Recommend": "recommend",
    f"{_SERVICE}GetInterests": "recommend",
    f"{_SERVICE}ForecastInterests": "recommend",
    f"{_SERVICE}RecordInteractions": "record",
    f"{_SERVICE}SetPreferences": "preferences",
    f"{_SERVICE}EraseUser": "erase",
}

# Load balancers check the health without a token.
_PUBLIC: Final = "/grpc.health.v1.Health/"

_ALL: Final[frozenset[Scope]] = frozenset(get_args(Scope))

# The scopes of the token of the call in progress; all of them where no token is needed.
scopes: Final[ContextVar[frozenset[Scope]]] = ContextVar("scopes", default=_ALL)


def is_public(method: str) -> bool:
    """Return whether anybody may call the method without a token."""
    return method.startswith(_PUBLIC)


class Authorizer:
    """Checks the token of a call against the scope that its method needs; keeps digests, not tokens."""

    def __init__(self, tokens: Mapping[Scope, Sequence[str]]) -> None:
        """`tokens`: tokens by scope; without any token, every call is allowed."""
        pairs = [(_digest(token), scope) for scope, texts in tokens.items() for token in texts]
        self._scopes = {key: frozenset(scope for digest, scope in pairs if digest == key) for key, _ in pairs}

    def check(self, method: str, metadata: Mapping[str, str | bytes]) -> frozenset[Scope]:
        """Check a call of `method` (`/package.Service/Method`) and return the scopes of its token.

        Raises:
            Unauthenticated: the metadata has no token, or an unknown one.
            Forbidden: the token lacks the scope.
        """
        if not self._scopes or is_public(method):
            return _ALL
        digest = _digest(str(metadata.get("authorization", "")).removeprefix("Bearer "))
        # The time of a look-up reveals nothing about a token: a client can't choose the digest of its guess.
        granted = self._scopes.get(digest)
        if not granted:
            raise Unauthenticated(
                "authorization: expected metadata 'authorization: Bearer TOKEN' with a valid token; "
                "ask the operator of this service for one"
            )
        needed = _SCOPES.get(method, "admin")
        if not granted & {needed, "admin"}:
            raise Forbidden(f"authorization: {method} needs a token with scope {needed!r}")
        return granted


def check_scope(needed: Scope, purpose: str) -> None:
    """Raise Forbidden if the token of the call in progress lacks the scope that `purpose` needs."""
    if not scopes.get() & {needed, "admin"}:
        raise Forbidden(
            f"authorization: {purpose} needs a token with scope {needed!r} too; "
            f"ask the operator of this service to list the token under {needed!r} in PENCHANT_TOKENS"
        )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
