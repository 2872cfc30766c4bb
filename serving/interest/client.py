"""Interest vectors from a model server that speaks TensorFlow Serving's gRPC API, without TensorFlow here.

For whoever waits in a thread, and for whoever waits in an event loop.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import grpc.aio
import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from feature_repo import attributes
from feature_repo.attributes import Attributes
from feature_repo.contract import INTEREST, INTEREST_MODEL
from feature_repo.histories import History, encode
from feature_repo.interest_state import InterestBatch
from serving.errors import Unavailable
from serving.interest.tensors import to_array, to_tensor
from serving.protos import prediction_pb2 as pb

# A model server that comes back is found within a second; gRPC's own backoff grows to two minutes.
_CHANNEL_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
)

_OVER_TLS: Final = "https://"

_NEXT_STEP: Final = {
    grpc.StatusCode.UNAVAILABLE: "start one with `penchant serve`, or set the address of a running one",
    grpc.StatusCode.DEADLINE_EXCEEDED: "it is slow or overloaded: look at its load, or allow more time",
    grpc.StatusCode.NOT_FOUND: "push that version, or see which ones it holds with GetModelStatus",
}
_ANOTHER_MODEL: Final = "what it serves doesn't fit the contract: push a release of this version of Penchant"


class _Client:
    """A channel, of grpc or of grpc.aio, to the interest model.

    Args:
        address: `host:port` of the embedded model server or of TensorFlow Serving; `https://host:port` where
            it speaks TLS.
        model_name: under which name the server holds the interest model.
        credentials: for TLS; None trusts gRPC's roots, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names others.
    """

    _kind: Any

    def __init__(
        self,
        address: str,
        model_name: str = INTEREST_MODEL,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        self.address, self._model_name = address, model_name
        host = address.removeprefix(_OVER_TLS)
        if host == address:
            self._channel = self._kind.insecure_channel(host, _CHANNEL_OPTIONS)
        else:
            credentials = credentials or grpc.ssl_channel_credentials()
            self._channel = self._kind.secure_channel(host, credentials, _CHANNEL_OPTIONS)
        self._predict = self._method("PredictionService/Predict", pb.PredictResponse)
        self._get_model_status = self._method("ModelService/GetModelStatus", pb.GetModelStatusResponse)

    def _method(self, name: str, response: type[Message]) -> Any:
        return self._channel.unary_unary(
            f"/tensorflow.serving.{name}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=response.FromString,
        )


class InterestClient(_Client):
    """Calls the interest model; safe to share between threads, and survives a server's restart."""

    _kind = grpc

    def interest(
        self,
        histories: Sequence[History],
        version: int | None = None,
        timeout_s: float = 1.0,
        users: Sequence[Attributes] | None = None,
    ) -> InterestBatch:
        """The interests after whole histories; an empty one of a user without attributes gives a zero vector.

        Args:
            version: of the model; None takes the newest that is available.
            users: what is known of each user beside the history; None of nobody anything.

        Raises:
            Unavailable: no answer in `timeout_s`, or none that fits the contract.
        """
        return self._run(_whole(histories, users, self._model_name, version), timeout_s)

    def advance(
        self,
        interests: InterestBatch,
        histories: Sequence[History],
        version: int | None = None,
        timeout_s: float = 1.0,
    ) -> InterestBatch:
        """The interests after what `histories` add to `interests`, row by row; raises as `interest` does."""
        return self._run(_further(interests, histories, self._model_name, version), timeout_s)

    def available_versions(self, timeout_s: float = 1.0) -> list[int]:
        """Versions that answer now, oldest first.

        Raises:
            Unavailable: no answer in `timeout_s`, or the server knows no such model.
        """
        request = pb.GetModelStatusRequest(model_spec=pb.ModelSpec(name=self._model_name))
        with _reaching(self.address):
            statuses = self._get_model_status(request, timeout=timeout_s).model_version_status
        return sorted(s.version for s in statuses if s.state == pb.ModelVersionStatus.AVAILABLE)

    def close(self) -> None:
        self._channel.close()

    def _run(self, request: pb.PredictRequest, timeout_s: float) -> InterestBatch:
        with _reaching(self.address):
            return _interests(self._predict(request, timeout=timeout_s))


class AsyncInterestClient(_Client):
    """As InterestClient, for an event loop, made in the one that it serves; it asks for interests alone."""

    _kind = grpc.aio

    async def interest(
        self,
        histories: Sequence[History],
        version: int | None = None,
        timeout_s: float = 1.0,
        users: Sequence[Attributes] | None = None,
    ) -> NDArray[np.float32]:
        """[batch, interest size]; arguments and errors as of InterestClient.interest."""
        return await self._run(_whole(histories, users, self._model_name, version), timeout_s)

    async def advance(
        self,
        interests: InterestBatch,
        histories: Sequence[History],
        version: int | None = None,
        timeout_s: float = 1.0,
    ) -> NDArray[np.float32]:
        """[batch, interest size]; arguments and errors as of InterestClient.advance."""
        return await self._run(_further(interests, histories, self._model_name, version), timeout_s)

    async def close(self) -> None:
        await self._channel.close()

    async def _run(self, request: pb.PredictRequest, timeout_s: float) -> NDArray[np.float32]:
        request.output_filter.append(INTEREST)  # the state is eight times as long, and nobody here reads it
        with _reaching(self.address):
            response = await self._predict(request, timeout=timeout_s)
            return to_array(response.outputs[INTEREST]).astype(np.float32, copy=False)


def _whole(
    histories: Sequence[History], users: Sequence[Attributes] | None, model_name: str, version: int | None
) -> pb.PredictRequest:
    known = attributes.encode(users or [Attributes()] * len(histories))
    return _request("serving_default", encode(histories) | known, model_name, version)


def _further(
    interests: InterestBatch, histories: Sequence[History], model_name: str, version: int | None
) -> pb.PredictRequest:
    inputs = encode(histories) | {"state": interests.state, "as_of": interests.as_of[:, np.newaxis]}
    return _request("advance", inputs, model_name, version)


def _request(
    signature: str, inputs: Mapping[str, NDArray[np.generic]], model_name: str, version: int | None
) -> pb.PredictRequest:
    request = pb.PredictRequest()
    request.model_spec.name = model_name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    for name, array in inputs.items():
        to_tensor(array, request.inputs[name])
    return request


def _interests(response: pb.PredictResponse) -> InterestBatch:
    """Raises ValueError where it does not fit the contract."""
    interest, state, as_of = (to_array(response.outputs[name]) for name in ("interest", "state", "as_of"))
    return InterestBatch(interest.astype(np.float32), state.astype(np.float32), as_of.reshape(-1))


@contextmanager
def _reaching(address: str) -> Iterator[None]:
    """Raises Unavailable, with the next step, for whatever goes wrong on the way to the model and back."""
    try:
        yield
    except grpc.RpcError as error:
        step = _NEXT_STEP.get(error.code(), _ANOTHER_MODEL)
        details = f"{error.code().name}: {error.details()}"
        raise Unavailable(f"model server {address} gave no answer ({details}); {step}") from error
    except ValueError as error:
        raise Unavailable(f"model server {address}: {error}; {_ANOTHER_MODEL}") from error
