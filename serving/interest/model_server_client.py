"""Blocking and asyncio clients of the interest model over TensorFlow Serving's gRPC API."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import grpc.aio
import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from feature_repo import attributes
from feature_repo.attributes import Attributes
from feature_repo.contract import FORECAST, INTEREST, INTEREST_MODEL
from feature_repo.histories import History, encode
from feature_repo.interest_state import InterestBatch, InterestState
from serving.connections.loopback import channel_options
from serving.errors import Unavailable
from serving.interest.tensors import to_array, to_tensor
from serving.protos import prediction_pb2 as pb

# Reconnect within a second after a restart of the model server; gRPC's default backoff grows to two minutes.
_CHANNEL_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
)

_TLS_PREFIX: Final = "https://"

_NEXT_STEP: Final = {
    grpc.StatusCode.UNAVAILABLE: "start one with `penchant serve`, or set the address of a running one",
    grpc.StatusCode.DEADLINE_EXCEEDED: "it is slow or overloaded: check its load, or allow more time",
    grpc.StatusCode.NOT_FOUND: "push that version, or list the loaded ones with GetModelStatus",
}
_WRONG_MODEL: Final = "its model does not match the contract: push a release of this version of Penchant"


class _Client:
    """A channel to the interest model; subclasses choose grpc or grpc.aio.

    Args:
        address: `host:port` of the embedded model server or of TensorFlow Serving; `https://host:port` for
            TLS.
        model_name: the name of the interest model on the server.
        credentials: for TLS; None trusts gRPC's root certificates, or those in the file of
            GRPC_DEFAULT_SSL_ROOTS_FILE_PATH.
    """

    _grpc: Any

    def __init__(
        self,
        address: str,
        model_name: str = INTEREST_MODEL,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        self.address, self._model_name = address, model_name
        host = address.removeprefix(_TLS_PREFIX)
        options = (*_CHANNEL_OPTIONS, *channel_options(host))
        if host == address:
            self._channel = self._grpc.insecure_channel(host, options)
        else:
            credentials = credentials or grpc.ssl_channel_credentials()
            self._channel = self._grpc.secure_channel(host, credentials, options)
        self._predict = self._method("PredictionService/Predict", pb.PredictResponse)
        self._get_model_status = self._method("ModelService/GetModelStatus", pb.GetModelStatusResponse)

    def _method(self, name: str, response: type[Message]) -> Any:
        return self._channel.unary_unary(
            f"/tensorflow.serving.{name}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=response.FromString,
        )


class InterestClient(_Client):
    """The blocking client; safe to share between threads, and reconnects after a restart of the server."""

    _grpc = grpc

    def interest(
        self,
        histories: Sequence[History],
        version: int | None = None,
        timeout_s: float = 1.0,
        users: Sequence[Attributes] | None = None,
    ) -> InterestBatch:
        """Return the interests after whole histories; a zero vector for no history and no attributes.

        Args:
            version: of the model; None for the newest available one.
            users: the attributes of each user; None for no attributes.

        Raises:
            Unavailable: no answer in `timeout_s`, or an answer that does not match the contract.
        """
        return self._run(_interest_request(histories, users, self._model_name, version), timeout_s)

    def advance(
        self,
        interests: InterestBatch,
        histories: Sequence[History],
        version: int | None = None,
        timeout_s: float = 1.0,
    ) -> InterestBatch:
        """Return `interests` advanced by `histories`, row by row; raises as `interest`."""
        return self._run(_advance_request(interests, histories, self._model_name, version), timeout_s)

    def available_versions(self, timeout_s: float = 1.0) -> list[int]:
        """Return the loaded versions, in ascending order.

        Raises:
            Unavailable: no answer in `timeout_s`, or the server has no such model.
        """
        request = pb.GetModelStatusRequest(model_spec=pb.ModelSpec(name=self._model_name))
        with _errors_as_unavailable(self.address):
            statuses = self._get_model_status(request, timeout=timeout_s).model_version_status
        return sorted(s.version for s in statuses if s.state == pb.ModelVersionStatus.AVAILABLE)

    def close(self) -> None:
        self._channel.close()

    def _run(self, request: pb.PredictRequest, timeout_s: float) -> InterestBatch:
        with _errors_as_unavailable(self.address):
            return _interests(self._predict(request, timeout=timeout_s))


class AsyncInterestClient(_Client):
    """The asyncio client; returns interests without states. Create it in the event loop that uses it."""

    _grpc = grpc.aio

    async def interest(
        self,
        histories: Sequence[History],
        version: int | None = None,
        timeout_s: float = 1.0,
        users: Sequence[Attributes] | None = None,
    ) -> NDArray[np.float32]:
        """Return [batch, interest size]; arguments and errors as in InterestClient.interest."""
        return await self._run(_interest_request(histories, users, self._model_name, version), timeout_s)

    async def advance(
        self,
        interests: InterestBatch,
        histories: Sequence[History],
        version: int | None = None,
        timeout_s: float = 1.0,
    ) -> NDArray[np.float32]:
        """Return [batch, interest size]; arguments and errors as in InterestClient.advance."""
        return await self._run(_advance_request(interests, histories, self._model_name, version), timeout_s)

    async def forecast(
        self,
        history: History,
        user: Attributes,
        version: int | None = None,
        timeout_s: float = 1.0,
        state: InterestState | None = None,
    ) -> NDArray[np.float32]:
        """Return a user's interests at the next steps [FORECAST_STEPS, interest size]; errors as above.

        Args:
            history: the whole history, or with a `state` the interactions since.
        """
        if state is None:
            request = _interest_request([history], [user], self._model_name, version)
        else:
            batch = InterestBatch.of(state)
            request = _advance_request(batch, [history], self._model_name, version)
        forecast: NDArray[np.float32] = (await self._run(request, timeout_s, FORECAST))[0]
        return forecast

    async def close(self) -> None:
        await self._channel.close()

    async def _run(
        self, request: pb.PredictRequest, timeout_s: float, output: str = INTEREST
    ) -> NDArray[np.float32]:
        request.output_filter.append(output)  # the state is eight times as large and not needed
        with _errors_as_unavailable(self.address):
            response = await self._predict(request, timeout=timeout_s)
            return to_array(response.outputs[output]).astype(np.float32, copy=False)


def _interest_request(
    histories: Sequence[History], users: Sequence[Attributes] | None, model_name: str, version: int | None
) -> pb.PredictRequest:
    inputs = encode(histories) | attributes.encode(users or [Attributes()] * len(histories))
    return _request("serving_default", inputs, model_name, version)


def _advance_request(
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
    """Raises ValueError if the outputs do not match the contract."""
    interest, state, as_of = (to_array(response.outputs[name]) for name in ("interest", "state", "as_of"))
    return InterestBatch(interest.astype(np.float32), state.astype(np.float32), as_of.reshape(-1))


@contextmanager
def _errors_as_unavailable(address: str) -> Iterator[None]:
    """Convert errors of the call and of its answer to Unavailable, with the next step."""
    try:
        yield
    except grpc.RpcError as error:
        step = _NEXT_STEP.get(error.code(), _WRONG_MODEL)
        details = f"{error.code().name}: {error.details()}"
        raise Unavailable(f"model server {address} gave no answer ({details}); {step}") from error
    except ValueError as error:
        raise Unavailable(f"model server {address}: {error}; {_WRONG_MODEL}") from error
