from dataclasses import dataclass, field

import grpc
import pytest
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from serving.model_server.errors import invalid, rpc


class Aborted(Exception):
    pass


@dataclass
class Context:
    """What a method sees of a call."""

    active: bool = True
    status: tuple[grpc.StatusCode, str] | None = field(default=None)

    def is_active(self) -> bool:
        return self.active

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        self.status = (code, details)
        raise Aborted


def answer(behaviour, context: Context, body: bytes = b"") -> PredictResponse:
    return rpc(behaviour, PredictRequest, PredictResponse).unary_unary(body, context)


def test_a_failure_becomes_the_status_with_its_number():
    context = Context()

    def fail(request: PredictRequest) -> PredictResponse:
        raise invalid("no")

    with pytest.raises(Aborted):
        answer(fail, context)
    assert context.status == (grpc.StatusCode.INVALID_ARGUMENT, "no")


def test_a_message_longer_than_metadata_may_be_is_cut():
    context = Context()

    def fail(request: PredictRequest) -> PredictResponse:
        raise invalid("x" * 20_000)

    with pytest.raises(Aborted):
        answer(fail, context)
    assert context.status == (grpc.StatusCode.INVALID_ARGUMENT, "x" * 1024 + "...TRUNCATED")


def test_a_call_nobody_waits_for_is_not_answered():
    context = Context(active=False)

    with pytest.raises(Aborted):
        answer(pytest.fail, context)
    assert context.status is not None
    assert context.status[0] is grpc.StatusCode.CANCELLED


def test_bytes_that_are_no_message_are_refused_without_a_traceback_in_the_log():
    context = Context()

    with pytest.raises(Aborted):
        answer(pytest.fail, context, body=b"\xff")
    assert context.status == (grpc.StatusCode.INTERNAL, "1 bytes are no PredictRequest")
    # gRPC logs what its own deserializer raises.
    assert rpc(pytest.fail, PredictRequest, PredictResponse).request_deserializer is None
