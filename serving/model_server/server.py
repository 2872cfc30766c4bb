"""The embedded model server: a gRPC server, the models it answers for, and the watch over their files."""

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
from serving.configuration.tls import ServerTls
from serving.model_server.versions import parse_policy

if TYPE_CHECKING:
    from serving.model_server.models import ServedModels

_log = logging.getLogger("serving.model_server")

_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # else a second server would share the port without a word
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
)


class StartError(Exception):
    """The server can't start; its message says why and what to do next."""


class ModelServer:
    """Polls the models' files until stopped; made by `create_server`."""

    def __init__(self, server: grpc.Server, models: "ServedModels", poll_seconds: float) -> None:
        self._server = server
        self._models = models
        self._poll_seconds = poll_seconds
        self._health = health.HealthServicer()
        self._ready: bool | None = None
        self._stopped = Event()
        self._watch = Thread(target=self._poll_until_stopped, name="watch", daemon=True)
        add_HealthServicer_to_server(self._health, server)

    def start(self) -> None:
        """Load what stands on disk, then answer."""
        # TensorFlow's modules stay for good; to look through them at each collection would stop every thread
        # for a tenth of a second.
        gc.collect()
        gc.freeze()
        self._poll()
        self._server.start()
        self._watch.start()

    def stop(self, grace: float | None = None) -> Event:
        """Refuse new requests, give those in flight `grace` seconds; the event says when all have ended.

        A version that is being loaded is waited for: a process that ends meanwhile would crash.
        """
        self._stopped.set()
        self._health.enter_graceful_shutdown()
        ended: Event = self._server.stop(grace)
        if self._watch.is_alive():
            self._watch.join()
        return ended

    def _poll_until_stopped(self) -> None:
        while not self._stopped.wait(self._poll_seconds):
            try:
                self._poll()
            except Exception:  # what is loaded goes on serving, and the next poll tries again
                _log.exception("model server: looking for versions failed")

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
) -> tuple[ModelServer, int]:
    """A server that is bound but not started, and its port.

    Args:
        base_path: directory of numeric version directories, each a SavedModel.
        port: 0 takes a free one.
        version_policy: `latest:COUNT`, `all` or `specific:VERSION,...`.
        tls_certificate: with its key, PEM; `tls_client_ca` asks each client for a certificate of its roots.

    Raises:
        StartError: the port is taken, the base path is no directory, or a TLS file is not what it should be.
        ValueError: the version policy can't be read, or a part of TLS is missing.
    """
    policy, tls = parse_policy(version_policy), ServerTls(tls_certificate, tls_key, tls_client_ca)
    if not Path(base_path).is_dir():
        raise StartError(
            f"no directory at {base_path}: expected version directories like {base_path}/1 there; "
            "train and push a release first (`penchant run`)"
        )
    server = grpc.server(ThreadPoolExecutor(threads, "rpc"), options=_OPTIONS)
    try:
        port = tls.listen(server, f"{host}:{port}")
    except OSError as error:
        raise StartError(str(error)) from error
    except RuntimeError as error:
        raise StartError(
            f"can't listen on {host}:{port}, is another process there? Stop it or choose another --port"
        ) from error
    # Only now, for TensorFlow takes seconds to import and a taken port should be told at once.
    from serving.model_server.model_service import ModelService
    from serving.model_server.models import ServedModels
    from serving.model_server.prediction_service import PredictionService

    models = ServedModels()
    models.add(model_name, Path(base_path), policy)
    server.add_generic_rpc_handlers((PredictionService(models).handler(), ModelService(models).handler()))
    return ModelServer(server, models, poll_seconds), port
