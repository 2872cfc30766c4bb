"""The embedded model server: a gRPC server and a thread that loads new versions of its models."""

import gc
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from feature_repo.contract import INTEREST_MODEL
from serving.connections.tls import ServerTls
from serving.model_server.reload_authorization import ReloadAuthorization, read_token
from serving.model_server.versions import parse_policy

if TYPE_CHECKING:
    from serving.model_server.models import ServedModels

logger = logging.getLogger("serving.model_server")

_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # otherwise a second server silently shares the port
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
)


class StartError(Exception):
    """The server can't start; the message says why and the next step."""


class ModelServer:
    """Serves models and polls for new versions; `create_server` returns one."""

    def __init__(self, server: grpc.Server, models: "ServedModels", poll_seconds: float) -> None:
        self._server = server
        self._models = models
        self._poll_seconds = poll_seconds
        self._health = health.HealthServicer()
        self._ready: bool | None = None
        self._stopped = Event()
        self._poller = Thread(target=self._poll_until_stopped, name="poller", daemon=True)
        add_HealthServicer_to_server(self._health, server)

    def start(self) -> None:
        """Load the models, then accept requests."""
        # TensorFlow's modules live as long as the process. Without freeze(), each garbage collection scans
        # them and stops every thread for a tenth of a second.
        gc.collect()
        gc.freeze()
        self._poll()
        self._server.start()
        self._poller.start()

    def stop(self, grace: float | None = None) -> Event:
        """Reject new requests, and give those in progress `grace` seconds; set the event when all have ended.

        Waits for a version that is being loaded: the process would crash if it ended earlier.
        """
        self._stopped.set()
        self._health.enter_graceful_shutdown()
        stopped: Event = self._server.stop(grace)
        if self._poller.is_alive():
            self._poller.join()
        gc.unfreeze()  # frozen objects would outlive the interpreter, which libraries report as leaks
        return stopped

    def _poll_until_stopped(self) -> None:
        while not self._stopped.wait(self._poll_seconds):
            try:
                self._poll()
            except Exception:  # loaded versions stay, and the next poll tries again
                logger.exception("model server: can't poll for versions")

    def _poll(self) -> None:
        from serving.model_server import model_service, prediction_service

        self._models.poll()
        ready = self._models.ready()
        if ready == self._ready:
            return
        self._ready = ready
        state = HealthCheckResponse.SERVING if ready else HealthCheckResponse.NOT_SERVING
        for service in ("", prediction_service.SERVICE, model_service.SERVICE):
            self._health.set(service, state)


def create_server(
    base_path: str | Path,
    *,
    model_name: str = INTEREST_MODEL,
    host: str = "127.0.0.1",
    port: int = 0,
    version_policy: str = "latest:2",
    poll_seconds: float = 1.0,
    threads: int = 16,
    tls_certificate: Path | None = None,
    tls_key: Path | None = None,
    tls_client_ca: Path | None = None,
    reload_token_file: Path | None = None,
) -> tuple[ModelServer, int]:
    """Return a server that is bound but not started, and its port.

    Args:
        base_path: directory of numeric version directories, each a SavedModel.
        port: 0 for any free port.
        version_policy: `latest:COUNT`, `all` or `specific:VERSION,...`.
        tls_certificate: PEM, with its key; `tls_client_ca` requires client certificates of these roots.
        reload_token_file: allows HandleReloadConfigRequest to callers with the token in this file, for models
            below `base_path`; None refuses it.

    Raises:
        StartError: the port is in use, the base path is no directory, or a file is invalid.
        ValueError: the version policy or the token is invalid, or a TLS file is not given.
    """
    policy, tls = parse_policy(version_policy), ServerTls(tls_certificate, tls_key, tls_client_ca)
    if not Path(base_path).is_dir():
        raise StartError(
            f"no directory at {base_path}: expected version directories like {base_path}/1 there; "
            "train and push a release first (`penchant run`)"
        )
    try:
        token = read_token(reload_token_file) if reload_token_file else None
        authorization = ReloadAuthorization(token)
        threads_of_calls = ThreadPoolExecutor(threads, "rpc")
        server = grpc.server(threads_of_calls, interceptors=[authorization], options=_OPTIONS)
        port = tls.listen(server, f"{host}:{port}")
    except OSError as error:
        raise StartError(str(error)) from error
    except RuntimeError as error:
        raise StartError(
            f"can't listen on {host}:{port}: stop the process that uses it, or choose another --port"
        ) from error
    # Imported here, because TensorFlow takes seconds to import and a port in use should be reported at once.
    from serving.model_server.model_service import ModelService
    from serving.model_server.models import ServedModels
    from serving.model_server.prediction_service import PredictionService

    models = ServedModels(Path(base_path))
    models.add(model_name, Path(base_path), policy)
    server.add_generic_rpc_handlers((PredictionService(models).handler(), ModelService(models).handler()))
    return ModelServer(server, models, poll_seconds), port
