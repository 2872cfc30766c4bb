"""Who may call what: bearer tokens with scopes."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

import grpc

from serving.configuration.settings import Scope
from serving.errors import Forbidden, PenchantError, Unauthenticated

_SERVICE: Final = "/penchant.v1.RecommenderService/"

# What is not named here (reflection) needs the scope admin, which also opens all of these.
_SCOPES: Final[Mapping[str, Scope]] = {
    f"{_SERVICE}Recommend": "recommend",
    f"{_SERVICE}GetInterests": "recommend",
    f"{_SERVICE}RecordInteractions": "record",
}

# A load balancer asks without a token.
_OPEN: Final = "/grpc.health.v1.Health/"


class AuthInterceptor(grpc.aio.ServerInterceptor):
    """Lets a call through whose token opens its method; tokens are kept as digests."""

    def __init__(self, tokens: Mapping[Scope, Sequence[str]]) -> None:
        self._digests = [(_digest(token), scope) for scope, given in tokens.items() for token in given]

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        metadata = dict(handler_call_details.invocation_metadata)
        try:
            self._check(handler_call_details.method, str(metadata.get("authorization", "")))
        except PenchantError as error:
            return _refusing(error)
        return await continuation(handler_call_details)

    def _check(self, method: str, authorization: str) -> None:
        if method.startswith(_OPEN):
            return
        given = _digest(authorization.removeprefix("Bearer "))
        # Each known token is compared, whichever matches: the time tells nothing about them.
        scopes = {scope for known, scope in self._digests if hmac.compare_digest(known, given)}
        if not scopes:
            raise Unauthenticated("authorization: expected metadata 'authorization: Bearer TOKEN'")
        needed = _SCOPES.get(method, "admin")
        if not scopes & {needed, "admin"}:
            raise Forbidden(f"authorization: {method} needs a token with scope {needed!r}")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _refusing(error: PenchantError) -> "grpc.RpcMethodHandler[Any, Any]":
    async def refuse(_request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> NoReturn:
        await context.abort(error.status, str(error))

    return grpc.unary_unary_rpc_method_handler(refuse)
