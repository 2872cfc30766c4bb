"""A model under test, driven through TensorFlow Serving's official client."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, ModelVersionStatus
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

from tests.patience import HANG_S, wait_until
from tests.serving.model_server.tiny_model import predict_request, sequences

AVAILABLE = ModelVersionStatus.AVAILABLE
END = ModelVersionStatus.END
RELOAD_TOKEN = "token of the tests"


@contextmanager
def fails(code: grpc.StatusCode, *words: str) -> Iterator[None]:
    """Expect the block to end with this gRPC status and a message that contains `words`."""
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert caught.value.code() is code, caught.value.details()
    assert all(word in (caught.value.details() or "") for word in words), caught.value.details()


@dataclass
class Client:
    """The official client of the server under test, and the base path of the server."""

    channel: grpc.Channel
    base_path: Path
    embedded: bool

    def __post_init__(self) -> None:
        self.prediction = PredictionServiceStub(self.channel)
        self.models = ModelServiceStub(self.channel)

    def reload(self, *configs: ModelConfig) -> None:
        request = ReloadConfigRequest()
        request.config.model_config_list.config.extend(configs)
        self.reload_request(request)

    def reload_request(self, request: ReloadConfigRequest, token: str = RELOAD_TOKEN) -> None:
        metadata = [("authorization", f"Bearer {token}")]
        self.models.HandleReloadConfigRequest(request, timeout=HANG_S, metadata=metadata)


@dataclass
class ServedModel:
    """A model with its own base path; `release` maps a scale to a SavedModel."""

    name: str
    client: Client
    release: Mapping[float, Path]
    policy: dict[str, Any] = field(default_factory=lambda: {"latest": {"num_versions": 2}})

    @property
    def path(self) -> Path:
        return self.client.base_path / self.name

    def publish(self, version: int | str, scale: float = 1.0) -> Path:
        """Publish a version atomically, as releases are."""
        self.path.mkdir(exist_ok=True)
        staged = self.path / f".{version}.staged"
        shutil.copytree(self.release[scale], staged)
        return staged.rename(self.path / str(version))

    def config(self, **labels: int) -> ModelConfig:
        return ModelConfig(
            name=self.name,
            base_path=str(self.path),
            model_platform="tensorflow",
            model_version_policy=self.policy,
            version_labels=labels,
        )

    def reload(self, **labels: int) -> None:
        self.client.reload(self.config(**labels))

    def statuses(self) -> dict[int, ModelVersionStatus]:
        request = GetModelStatusRequest()
        request.model_spec.name = self.name
        answer = self.client.models.GetModelStatus(request, timeout=HANG_S)
        return {status.version: status for status in answer.model_version_status}

    def wait_for(self, version: int, state: int) -> ModelVersionStatus:
        """Poll until the version reaches the state, and return its status."""
        statuses: dict[int, ModelVersionStatus] = {}

        def is_reached() -> bool:
            statuses.update(self.statuses())
            return version in statuses and statuses[version].state == state

        wait_until(is_reached)
        return statuses[version]

    def metadata(self, *fields: str) -> Any:
        request = GetModelMetadataRequest(metadata_field=fields)
        request.model_spec.name = self.name
        return self.client.prediction.GetModelMetadata(request, timeout=HANG_S)

    def request(self, *histories: Sequence[str], signature: str = "") -> PredictRequest:
        return predict_request(self.name, sequences(*histories or [["i1"]]), signature)

    def predict(self, request: PredictRequest) -> PredictResponse:
        return self.client.prediction.Predict(request, timeout=HANG_S)

    def interest(self, *history: str, version: int | None = None, label: str = "") -> list[float]:
        """Return the interest after one history; [1, 1] x scale after `i1`."""
        request = self.request(history or ["i1"])
        if version is not None:
            request.model_spec.version.value = version
        if label:
            request.model_spec.version_label = label
        return list(self.predict(request).outputs["interest"].float_val)
