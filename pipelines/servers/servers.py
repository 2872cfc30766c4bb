"""Serves the live release: starts the model server and the recommender, and restarts or stops them."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from feature_repo.contract import INTEREST_MODEL
from pipelines.errors import RunError
from pipelines.local_run.run_folder import new_run_folder
from pipelines.servers.running_servers import announce
from pipelines.servers.server_process import Command, ServerProcess
from pipelines.servers.watcher_process import WatcherProcess
from pipelines.settings import Settings
from serving.configuration.settings import load_settings as load_serving_settings
from serving.connections.loopback import channel_options
from serving.release.release_store import ReleaseStore

START_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True)
class ServingProcesses:
    """The servers of a live release."""

    recommender: str  # host:port
    model_server: str  # host:port
    processes: list[ServerProcess | WatcherProcess]

    def watch(self, report: Callable[[str], None]) -> None:
        """Restart servers that end, until KeyboardInterrupt; raises like `restart_ended`."""
        while True:
            self.restart_ended(report)
            time.sleep(0.5)

    def restart_ended(self, report: Callable[[str], None]) -> None:
        """Restart each server that has ended, and report it.

        Raises:
            RunError: a server ended again during its restart.
        """
        for process in self.processes:
            if not process.is_running and process.may_restart:
                report(f"{process.exit_message()}\nRestarting it.")
                process.restart()


@contextmanager
def serve_live_release(
    settings: Settings, port: int, model_port: int, follow_aliases: bool = False
) -> Iterator[ServingProcesses]:
    """Start both servers, and stop them at the end; port 0 is any free port.

    Args:
        follow_aliases: whether a third process promotes the version to which somebody moves the alias `live`.

    Raises:
        RunError: no release is live, or a server did not start.
        ValueError: a setting of the recommender is wrong.
    """
    serving_settings = load_serving_settings(home=settings.home)
    settings.prepare_home()
    if ReleaseStore(settings.releases).live() is None:
        raise RunError(
            f"no release is live in {settings.releases}: train one with `penchant run`, "
            "or approve one with `penchant review approve VERSION` (`penchant review list` shows them)"
        )
    logs = new_run_folder(settings.home, "serve-")
    with ExitStack() as stack:

        def start(module: str, command: Command, wanted_port: int) -> ServerProcess:
            process = ServerProcess(module, command, wanted_port, settings, logs)
            stack.callback(process.stop)
            return process

        processes = list[ServerProcess | WatcherProcess]()
        model_server = settings.model_server
        if not model_server:
            server = start("model_server", partial(_model_server, settings.releases), model_port)
            processes.append(server)
            model_server = server.address
            stack.enter_context(announce(settings, model_server))
        recommender = start("server", partial(_recommender, model_server, {}), port)
        # With TLS the health check needs trusted roots, and maybe a certificate; clients retry instead.
        if serving_settings.tls_certificate is None:
            _wait_until_serving(recommender)
        processes.append(recommender)
        if follow_aliases:
            processes.append(WatcherProcess(settings, logs))
            stack.callback(processes[-1].stop)
        yield ServingProcesses(recommender.address, model_server, processes)


@contextmanager
def serve_beside(settings: Settings, model_server: str, **environment: str) -> Iterator[str]:
    """Start a further recommender, and stop it at the end; yield its address.

    Args:
        environment: further settings of the recommender, without the prefix PENCHANT_.

    Raises:
        RunError: it did not start.
    """
    logs = new_run_folder(settings.home, "serve-")
    command = partial(_recommender, model_server, environment)
    process = ServerProcess("server", command, 0, settings, logs)
    try:
        _wait_until_serving(process)
        yield process.address
    finally:
        process.stop()


def _model_server(releases: str, port: int) -> tuple[list[str], dict[str, str]]:
    base_path = f"{releases}/{INTEREST_MODEL}"
    arguments = ["--base-path", base_path, "--port", str(port), "--version-policy", "all"]
    return [*arguments, "--end-with-parent"], {}


def _recommender(
    model_server: str, settings: Mapping[str, str], port: int
) -> tuple[list[str], dict[str, str]]:
    own = {"MODEL_SERVER": model_server, "PORT": str(port), "END_WITH_PARENT": "true", **settings}
    return [], {f"PENCHANT_{name}": value for name, value in own.items()}


def _wait_until_serving(recommender: ServerProcess) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    options = channel_options(recommender.address)
    with grpc.insecure_channel(recommender.address, options) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        while (status := _health(health)) != "SERVING":
            if not recommender.is_running:
                raise RunError(recommender.exit_message())
            if time.monotonic() > deadline:
                raise RunError(
                    f"the recommender is still {status} after {START_TIMEOUT_S:.0f} s. Log: {recommender.log}"
                )
            time.sleep(0.05)


def _health(health: health_pb2_grpc.HealthStub) -> str:
    """Return the serving status, or the code of the error."""
    try:
        response = health.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
    except grpc.RpcError as error:
        return str(error.code().name)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(response.status))
