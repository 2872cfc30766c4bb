"""The model server and the recommender as processes of this machine, started and stopped together."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from feature_repo.contract import INTEREST_MODEL
from pipelines.errors import RunError
from pipelines.settings import Settings
from serving.release import ReleaseStore
from serving.settings import load_settings as load_serving_settings

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Process:
    """A server that has said where it listens."""

    name: str
    address: str
    popen: subprocess.Popen[str]
    log: Path


@dataclass(frozen=True)
class ServingProcesses:
    recommender: str  # host:port
    model_server: str  # host:port
    started: list[Process]

    def wait(self) -> None:
        """Until Ctrl-C.

        Raises:
            RunError: one of the servers ended by itself.
        """
        while True:
            for process in self.started:
                if process.popen.poll() is not None:
                    raise RunError(_ended(process.name, process.popen, process.log))
            time.sleep(0.5)


@contextmanager
def serving(settings: Settings, port: int, model_port: int) -> Iterator[ServingProcesses]:
    """Serve the live release; port 0 is any free one. Nothing is left running afterwards.

    Raises:
        RunError: no release is live, or a server did not start.
    """
    settings.prepare_home()
    if ReleaseStore(settings.releases).live() is None:
        raise RunError(
            f"no release is live in {settings.releases}: train one with `penchant run`, "
            "or approve one (`penchant review list`)"
        )
    with ExitStack() as stack:
        started = []
        model_server = settings.model_server
        if not model_server:
            base_path = f"{settings.releases}/{INTEREST_MODEL}"
            arguments = ["--base-path", base_path, "--port", str(model_port), "--version-policy", "all"]
            started.append(stack.enter_context(_process("model_server", arguments, settings, {})))
            model_server = started[0].address
        environment = {"PENCHANT_MODEL_SERVER": model_server, "PENCHANT_PORT": str(port)}
        recommender = stack.enter_context(_process("server", [], settings, environment))
        if load_serving_settings(home=settings.home).tls_certificate is None:
            # Else only those whom it lets in can ask for its health; its clients try again until it serves.
            _wait_until_serving(recommender)
        yield ServingProcesses(recommender.address, model_server, [*started, recommender])


@contextmanager
def _process(
    module: str, arguments: list[str], settings: Settings, environment: dict[str, str]
) -> Iterator[Process]:
    """`python -m serving.<module>`, once its first line says where it listens."""
    addresses = ("releases", "interaction_log", "features", "registry", "online_store")
    known = {f"PENCHANT_{name.upper()}": getattr(settings, name) for name in addresses}
    log = settings.home / "runs" / f"{module}.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", f"serving.{module}", *arguments],
            env={**os.environ, **known, **environment},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as popen,
    ):
        try:
            assert popen.stdout
            line = popen.stdout.readline()
            if " on " not in line:
                raise RunError(_ended(module, popen, log))
            yield Process(module, line.split(" on ")[1].split()[0], popen, log)
        finally:
            _stop(popen)


def _wait_until_serving(recommender: Process) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    with grpc.insecure_channel(recommender.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        while True:
            try:
                answer = health.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.RpcError as error:
                last = error.code().name
            else:
                last = "NOT_SERVING"
            if recommender.popen.poll() is not None:
                raise RunError(_ended(recommender.name, recommender.popen, recommender.log))
            if time.monotonic() > deadline:
                raise RunError(f"the recommender is {last} after {START_TIMEOUT_S:.0f} s: {recommender.log}")
            time.sleep(0.05)


def _ended(name: str, popen: subprocess.Popen[str], log: Path) -> str:
    code = popen.wait()
    last = log.read_text().strip().splitlines()[-1:] or ["it gave no reason"]
    return f"{name} ended with exit code {code}: {last[0]}\nThe whole log: {log}"


def _stop(popen: subprocess.Popen[str]) -> None:
    popen.terminate()
    try:
        popen.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        popen.kill()
