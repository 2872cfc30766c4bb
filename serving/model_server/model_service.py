"""tensorflow.serving.ModelService: GetModelStatus and HandleReloadConfigRequest."""

import grpc
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest, ReloadConfigResponse

from serving.model_server.errors import invalid, rpc
from serving.model_server.models import ServedModels

SERVICE = "tensorflow.serving.ModelService"


class ModelService:
    def __init__(self, models: ServedModels) -> None:
        self._models = models

    def handler(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "GetModelStatus": rpc(self.get_model_status, GetModelStatusRequest, GetModelStatusResponse),
                "HandleReloadConfigRequest": rpc(
                    self.handle_reload_config, ReloadConfigRequest, ReloadConfigResponse
                ),
            },
        )

    def get_model_status(self, request: GetModelStatusRequest) -> GetModelStatusResponse:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        return GetModelStatusResponse(model_version_status=self._models.statuses(request.model_spec))

    def handle_reload_config(self, request: ReloadConfigRequest) -> ReloadConfigResponse:
        if not request.config.HasField("model_config_list"):
            raise invalid(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        self._models.reload(request.config.model_config_list.config)
        response = ReloadConfigResponse()
        response.status.SetInParent()
        return response
