"""A fake of TensorFlow Serving: reports a version, and answers interest vectors that the test chooses."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from serving.interest.tensors import to_tensor
from serving.protos import prediction_pb2 as pb

# The number of histories -> [histories, interest size] float32.
Answer = Callable[[int], NDArray[np.float32]]


class Refused(Exception):
    """Ends a call with the status INTERNAL."""


@dataclass
class FakeModelServer:
    address: str
    answer: Answer | None
    hangs: Event  # set to let calls of a hanging server end
    version: int = 1
    calls: int = 0


def interests(size: int) -> Answer:
    """Return a sound answer: one distinct unit vector per history."""
    return lambda rows: np.eye(rows, size, dtype=np.float32)


@contextmanager
def fake_model_server(answer: Answer | None = None) -> Iterator[FakeModelServer]:
    """Run a server of PredictionService/Predict and ModelService/GetModelStatus on a free port.

    Without an `answer`, Predict is not implemented.
    """
    server = grpc.server(ThreadPoolExecutor(2))
    port = server.add_insecure_port("127.0.0.1:0")
    fake = FakeModelServer(f"127.0.0.1:{port}", answer, Event())

    def predict(request: pb.PredictRequest, context: grpc.ServicerContext) -> pb.PredictResponse:
        fake.calls += 1
        if fake.answer is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "this fake computes nothing")
        rows = request.inputs["item_ids"].tensor_shape.dim[0].size
        try:
            interest = fake.answer(rows)
        except Refused as error:
            context.abort(grpc.StatusCode.INTERNAL, str(error))
        response = pb.PredictResponse()
        as_of = np.zeros((rows, 1), np.int64)
        for name, array in (("interest", interest), ("state", interest), ("as_of", as_of)):
            to_tensor(array, response.outputs[name])
        return response

    def status(request: pb.GetModelStatusRequest, context: grpc.ServicerContext) -> pb.GetModelStatusResponse:
        response = pb.GetModelStatusResponse()
        response.model_version_status.add(version=fake.version, state=pb.ModelVersionStatus.AVAILABLE)
        return response

    for service, method, function, request_type in (
        ("PredictionService", "Predict", predict, pb.PredictRequest),
        ("ModelService", "GetModelStatus", status, pb.GetModelStatusRequest),
    ):
        handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
            function, request_type.FromString, lambda response: response.SerializeToString()
        )
        service_name = f"tensorflow.serving.{service}"
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service_name, {method: handler})]
        )
    server.start()
    try:
        yield fake
    finally:
        fake.hangs.set()
        server.stop(None).wait()
