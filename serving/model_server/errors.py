"""TensorFlow's own errors, raised with TensorFlow Serving's words, as gRPC answers."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from tensorflow import errors

Failure: TypeAlias = errors.OpError

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
# model_servers/grpc_status_util.cc; a graph's error can be longer than a client takes as metadata.
_MESSAGE_LIMIT: Final = 1024


def invalid(message: str) -> Failure:
    return errors.InvalidArgumentError(None, None, message)


def not_found(message: str) -> Failure:
    return errors.NotFoundError(None, None, message)


def servable_not_found(model: str, version: int | None) -> Failure:
    wanted = f"Latest({model})" if version is None else f"Specific({model}, {version})"
    return not_found(f"Servable not found for request: {wanted}")


def failed_precondition(message: str) -> Failure:
    return errors.FailedPreconditionError(None, None, message)


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
    """A unary method; a failure of `behaviour` becomes the status with the same number.

    Bytes that are no message are INTERNAL, as gRPC in C++ answers them; gRPC in Python would log a traceback.
    """

    def answer(body: bytes, context: grpc.ServicerContext) -> Any:
        if not context.is_active():  # an overloaded server would answer nobody but those who gave up
            context.abort(grpc.StatusCode.CANCELLED, "the client is gone, or its deadline has passed")
        try:
            return behaviour(request.FromString(body))
        except DecodeError:
            context.abort(grpc.StatusCode.INTERNAL, f"{len(body)} bytes are no {request.__name__}")
        except Failure as failure:
            context.abort(_CODES[failure.error_code], shortened(failure))

    return grpc.unary_unary_rpc_method_handler(answer, response_serializer=response.SerializeToString)
