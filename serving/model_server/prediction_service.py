"""tensorflow.serving.PredictionService: Predict and GetModelMetadata."""

import grpc
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from serving.model_server.errors import invalid, rpc
from serving.model_server.models import ServedModels

SERVICE = "tensorflow.serving.PredictionService"
_SIGNATURE_DEF = "signature_def"


class PredictionService:
    def __init__(self, models: ServedModels) -> None:
        self._models = models

    def handler(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Predict": rpc(self.predict, PredictRequest, PredictResponse),
                "GetModelMetadata": rpc(
                    self.get_model_metadata, GetModelMetadataRequest, GetModelMetadataResponse
                ),
            },
        )

    def predict(self, request: PredictRequest) -> PredictResponse:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        with self._models.lease(request.model_spec) as servable:
            return servable.predict(request)

    def get_model_metadata(self, request: GetModelMetadataRequest) -> GetModelMetadataResponse:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _SIGNATURE_DEF:
                raise invalid(f"Metadata field {field} is not supported")
        response = GetModelMetadataResponse()
        with self._models.lease(request.model_spec) as servable:
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            response.metadata[_SIGNATURE_DEF].Pack(SignatureDefMap(signature_def=servable.signature_defs))
        return response
