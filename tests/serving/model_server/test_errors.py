"""Errors of the model server as gRPC statuses."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from serving.model_server.errors import invalid, rpc


class Aborted(Exception):
    pass


@dataclass
class Context:
    """The part of grpc.ServicerContext that handlers use."""

    active: bool = True
    status: tuple[grpc.StatusCode, str] | None = field(default=None)

    def is_active(self) -> bool:
        return self.active

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        self.status = (code, details)
        raise Aborted


def answer(behaviour: Callable[[Any], Any], context: Any, body: bytes = b"") -> PredictResponse:
    method = rpc(behaviour, PredictRequest, PredictResponse).unary_unary
    assert method
    return method(body, context)


def test_a_failure_becomes_the_status_with_the_same_code() -> None:
    context = Context()

    def fail(request: PredictRequest) -> PredictResponse:
        raise invalid("no")

    with pytest.raises(Aborted):
        answer(fail, context)
    assert context.status == (grpc.StatusCode.INVALID_ARGUMENT, "no")


def test_long_messages_are_truncated() -> None:
    context = Context()

    def fail(request: PredictRequest) -> PredictResponse:
        raise invalid("x" * 20_000)

    with pytest.raises(Aborted):
        answer(fail, context)
    assert context.status == (grpc.StatusCode.INVALID_ARGUMENT, "x" * 1024 + "...TRUNCATED")


def test_a_cancelled_call_is_not_run() -> None:
    context = Context(active=False)

    with pytest.raises(Aborted):
        answer(pytest.fail, context)
    assert context.status is not None
    assert context.status[0] is grpc.StatusCode.CANCELLED


def test_a_malformed_request_is_an_internal_error_without_a_traceback() -> None:
    context = Context()

    with pytest.raises(Aborted):
        answer(pytest.fail, context, body=b"\xff")
    assert context.status == (grpc.StatusCode.INTERNAL, "can't parse 1 bytes as PredictRequest")
    # gRPC logs the errors of its own deserializer.
    assert rpc(pytest.fail, PredictRequest, PredictResponse).request_deserializer is None
