"""The model server and the recommender as processes of this machine, started and stopped together."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from feature_repo.contract import INTEREST_MODEL
from pipelines.errors import RunError
from pipelines.settings import Settings
from serving.configuration.settings import load_settings as load_serving_settings
from serving.release.release_store import ReleaseStore

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 10.0

# From one start of a server to the next: one that ends at once may end again.
PAUSE_S: Final = 5.0

# The port -> arguments and environment of `python -m serving.<module>`.
Command = Callable[[int], tuple[list[str], dict[str, str]]]


class Process:
    """A server that has said where it listens; started again, it listens there again."""

    def __init__(self, module: str, command: Command, port: int, settings: Settings) -> None:
        """Raises RunError when it ends instead, and says why."""
        self.name, self._command, self._settings = module, command, settings
        self.log = settings.home / "runs" / f"{module}.log"
        self.log.unlink(missing_ok=True)
        self.address = self._start(port)

    def start_again(self) -> None:
        """Raises RunError as at the first time."""
        self._start(int(self.address.rsplit(":", 1)[1]))

    @property
    def rested(self) -> bool:
        """Whether its last start is long enough ago for another."""
        return time.monotonic() - self._ready_at >= PAUSE_S

    @property
    def runs(self) -> bool:
        return self.popen.poll() is None

    def ended(self) -> str:
        """How, and its last words."""
        code = self.popen.wait()
        last = self.log.read_text().strip().splitlines()[-1:] or ["it gave no reason"]
        return f"{self.name} ended with exit code {code}: {last[0]}\nThe whole log: {self.log}"

    def stop(self) -> None:
        self.popen.terminate()
        try:
            self.popen.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        assert self.popen.stdout
        self.popen.stdout.close()

    def _start(self, port: int) -> str:
        addresses = ("releases", "interaction_log", "features", "registry", "online_store")
        known = {f"PENCHANT_{name.upper()}": getattr(self._settings, name) for name in addresses}
        arguments, environment = self._command(port)
        with self.log.open("a") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", f"serving.{self.name}", *arguments],
                env={**os.environ, **known, **environment},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            assert self.popen.stdout
            line = self.popen.stdout.readline()
            if " on " not in line:
                raise RunError(self.ended())
        except BaseException:  # Ctrl-C too
            self.stop()
            raise
        self._ready_at = time.monotonic()
        return line.split(" on ")[1].split()[0]


@dataclass(frozen=True)
class ServingProcesses:
    recommender: str  # host:port
    model_server: str  # host:port
    started: list[Process]

    def wait(self, tell: Callable[[str], None]) -> None:
        """Until Ctrl-C; raises as `start_dead` does."""
        while True:
            self.start_dead(tell)
            time.sleep(0.5)

    def start_dead(self, tell: Callable[[str], None]) -> None:
        """Start again whichever has ended by itself, and tell of it; meanwhile the other answers on.

        Raises:
            RunError: it does not start any more.
        """
        for process in self.started:
            if not process.runs and process.rested:
                tell(f"{process.ended()}\nStarting it again.")
                process.start_again()


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

        def start(module: str, command: Command, wanted: int) -> Process:
            process = Process(module, command, wanted, settings)
            stack.callback(process.stop)
            return process

        started = []
        model_server = settings.model_server
        if not model_server:
            started.append(start("model_server", partial(_model_server, settings.releases), model_port))
            model_server = started[0].address
        recommender = start("server", partial(_recommender, model_server), port)
        if load_serving_settings(home=settings.home).tls_certificate is None:
            # Else only those whom it lets in can ask for its health; its clients try again until it serves.
            _wait_until_serving(recommender)
        yield ServingProcesses(recommender.address, model_server, [*started, recommender])


def _model_server(releases: str, port: int) -> tuple[list[str], dict[str, str]]:
    base_path = f"{releases}/{INTEREST_MODEL}"
    return ["--base-path", base_path, "--port", str(port), "--version-policy", "all"], {}


def _recommender(model_server: str, port: int) -> tuple[list[str], dict[str, str]]:
    return [], {"PENCHANT_MODEL_SERVER": model_server, "PENCHANT_PORT": str(port)}


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
            if not recommender.runs:
                raise RunError(recommender.ended())
            if time.monotonic() > deadline:
                raise RunError(f"the recommender is {last} after {START_TIMEOUT_S:.0f} s: {recommender.log}")
            time.sleep(0.05)
