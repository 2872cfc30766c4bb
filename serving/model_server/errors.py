"""Errors of the model server: TensorFlow's classes with TensorFlow Serving's messages, as gRPC statuses."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from tensorflow import errors

Failure: TypeAlias = errors.OpError

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
# As in model_servers/grpc_status_util.cc: the error of a graph can be longer than gRPC metadata allows.
_MESSAGE_LIMIT: Final = 1024


def invalid(message: str) -> Failure:
    return errors.InvalidArgumentError(None, None, message)


def not_found(message: str) -> Failure:
    return errors.NotFoundError(None, None, message)


def servable_not_found(model: str, version: int | None) -> Failure:
    request = f"Latest({model})" if version is None else f"Specific({model}, {version})"
    return not_found(f"Servable not found for request: {request}")


def failed_precondition(message: str) -> Failure:
    return errors.FailedPreconditionError(None, None, message)


def permission_denied(message: str) -> Failure:
    return errors.PermissionDeniedError(None, None, message)


def unimplemented(message: str) -> Failure:
    return errors.UnimplementedError(None, None, message)


def unknown(message: str) -> Failure:
    return errors.UnknownError(None, None, message)


def shortened(failure: Failure) -> str:
    message: str = failure.message
    return message if len(message) <= _MESSAGE_LIMIT else f"{message[:_MESSAGE_LIMIT]}...TRUNCATED"


def rpc(
    behaviour: Callable[[Any], Any], request: type[Any], response: type[Any]
) -> "grpc.RpcMethodHandler[Any, Any]":
    """Return the handler of a unary method; a Failure becomes the gRPC status with the same code.

    A body that can't be parsed is INTERNAL, as in gRPC for C++; gRPC for Python would log a traceback.
    """

    def answer(body: bytes, context: grpc.ServicerContext) -> Any:
        if not context.is_active():  # an overloaded server must not work for cancelled calls
            context.abort(grpc.StatusCode.CANCELLED, "the call was cancelled, or its deadline has passed")
        try:
            return behaviour(request.FromString(body))
        except DecodeError:
            context.abort(grpc.StatusCode.INTERNAL, f"can't parse {len(body)} bytes as {request.__name__}")
        except Failure as failure:
            context.abort(_CODES[failure.error_code], shortened(failure))

    return grpc.unary_unary_rpc_method_handler(answer, response_serializer=response.SerializeToString)
