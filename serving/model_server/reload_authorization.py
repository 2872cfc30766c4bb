"""Authorizes HandleReloadConfigRequest, with which a caller names directories of SavedModels to load.

A SavedModel can read and write files with the rights of the server, so the method is off without a token.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import grpc

from serving.api.authorization import Authorizer
from serving.errors import Forbidden, PenchantError

METHOD: Final = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
MIN_LENGTH: Final = 16


class ReloadAuthorization(grpc.ServerInterceptor):
    """Lets only calls with the token pass; without a token, none."""

    def __init__(self, token: str | None) -> None:
        self._authorizer = Authorizer({"admin": [token]}) if token else None

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Any],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        if handler_call_details.method != METHOD:
            return continuation(handler_call_details)
        try:
            self._check(dict(handler_call_details.invocation_metadata))
        except PenchantError as error:
            return _refusal(grpc.StatusCode[error.status], str(error))
        return continuation(handler_call_details)

    def _check(self, metadata: dict[str, str | bytes]) -> None:
        if self._authorizer is None:
            raise Forbidden(
                "HandleReloadConfigRequest is off: start the model server with --reload-token-file FILE"
            )
        self._authorizer.check(METHOD, metadata)


def read_token(file: Path) -> str:
    """Return the token in a file.

    Raises:
        OSError: the file can't be read.
        ValueError: the token is shorter than MIN_LENGTH.
    """
    token = file.read_text(encoding="utf-8").strip()
    if len(token) < MIN_LENGTH:
        raise ValueError(f"{file}: expected a token of at least {MIN_LENGTH} characters, got {len(token)}")
    return token


def _refusal(status: grpc.StatusCode, message: str) -> "grpc.RpcMethodHandler[Any, Any]":
    def abort(body: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(status, message)

    return grpc.unary_unary_rpc_method_handler(abort)
