"""Starts the measured servers, each in a process of its own, as a user would."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.patience import wait_until

_QUIET: Final = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "NONE"}


@dataclass(frozen=True)
class Server:
    """A process that listens at `address`, ready `ready_s` after its start."""

    address: str
    process: psutil.Popen
    ready_s: float

    def resident_mb(self) -> float:
        """Return the resident memory of the process and its workers."""
        processes = [self.process, *self.process.children()]
        return sum(float(process.memory_info().rss) for process in processes) / 1e6

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def server(module: str, *arguments: str, health: bool = False, **environment: str) -> Iterator[Server]:
    """Start `python -m module`, and wait for its line `… on HOST:PORT`; with `health`, until it is SERVING.

    Raises:
        RuntimeError: it ended instead; the message has the end of its log.
    """
    log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (open as long as the process)
    started = time.perf_counter()
    command = [sys.executable, "-m", module, *arguments]
    environment = {**os.environ, **_QUIET, **environment}
    process = psutil.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        line = process.stdout.readline()
        if " on " not in line:
            code = process.wait()
            log.seek(0)
            raise RuntimeError(f"{' '.join(command)} ended with exit code {code}: {log.read()[-2000:]}")
        address = line.split(" on ")[1].split()[0]
        if health:
            _wait_until_serving(address)
        yield Server(address, process, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait()
        log.close()


@dataclass(frozen=True)
class Recommender:
    """A running recommender and the port of its metrics."""

    server: Server
    metrics_port: int

    def stages(self) -> "Stages":
        return Stages.read(self._metrics())

    def release(self) -> int:
        """Return the version of the release in use, 0 if there is none yet."""
        match = re.search(r"^penchant_release_version (\S+)", self._metrics(), re.MULTILINE)
        return int(float(match[1])) if match else 0

    def _metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics") as page:
            text: str = page.read().decode()
            return text


@contextmanager
def recommender(home: Path, model_server: str, workers: int = 1, **settings: str) -> Iterator[Recommender]:
    """Run a recommender with these settings, environment variables, besides its addresses."""
    port = _free_port()
    environment = {
        "PENCHANT_HOME": str(home),
        "PENCHANT_PORT": "0",
        "PENCHANT_METRICS_PORT": str(port),
        "PENCHANT_MODEL_SERVER": model_server,
        "PENCHANT_WORKERS": str(workers),
        **settings,
    }
    with server("serving.server", health=True, **environment) as started:
        yield Recommender(started, port)


@dataclass(frozen=True)
class Stages:
    """Times by stage since the start of the recommender, from its own metrics, in seconds."""

    requests: float
    total_s: float
    stages_s: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, page: str) -> "Stages":
        stages = re.findall(r'penchant_stage_duration_seconds_sum\{stage="(\w+)"\} (\S+)', page)
        labels = r'\{code="OK",method="Recommend"\} (\S+)'
        count, total = (
            re.search(f"penchant_request_duration_seconds_{what}{labels}", page) for what in ("count", "sum")
        )
        return cls(
            requests=float(count[1]) if count else 0.0,
            total_s=float(total[1]) if total else 0.0,
            stages_s={name: float(seconds) for name, seconds in stages},
        )

    def since(self, before: "Stages") -> "Stages":
        stages = {name: seconds - before.stages_s[name] for name, seconds in self.stages_s.items()}
        return Stages(self.requests - before.requests, self.total_s - before.total_s, stages)

    def mean_us(self) -> dict[str, float]:
        """Return stage -> mean µs of a request, and "handler" -> the whole handler."""
        means = {name: 1e6 * seconds / self.requests for name, seconds in self.stages_s.items()}
        return {**means, "handler": 1e6 * self.total_s / self.requests}


def _wait_until_serving(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)

        def is_serving() -> bool:
            try:
                return bool(health.Check(health_pb2.HealthCheckRequest(), timeout=1).status == 1)
            except grpc.RpcError:
                return False

        wait_until(is_serving)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
