"""Several server processes behind one port: started, replaced when they die, stopped together.

The interpreter computes one answer at a time, so a machine's cores want a process each. The kernel deals
connections to them (SO_REUSEPORT). This process answers nothing but the metrics, which it adds up.
"""

import logging
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Final

from serving.configuration.settings import ServingSettings
from serving.process import asked_to_stop, starting
from serving.telemetry.worker_metrics import SummedMetrics

logger = logging.getLogger(__name__)

# How often it is looked whether each worker lives; one that dies at once comes back this often.
_LOOK_S: Final = 0.5

# Beyond what a worker gives its own requests to finish.
_STOP_S: Final = 15.0


@dataclass(frozen=True)
class Worker:
    """One server process, listening; `metrics` is the address of its own page."""

    process: "subprocess.Popen[str]"
    metrics: str | None

    @classmethod
    def start(cls, settings: ServingSettings, port: int) -> "subprocess.Popen[str]":
        environment = {**os.environ, "PENCHANT_WORKERS": "1", "PENCHANT_SHARED_PORT": "true"}
        environment["PENCHANT_PORT"] = str(port)
        if settings.metrics_port is not None:
            environment["PENCHANT_METRICS_PORT"] = "0"
        command = [sys.executable, "-m", "serving.server"]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    @classmethod
    def listening(cls, process: "subprocess.Popen[str]", settings: ServingSettings) -> "Worker | None":
        """Once it has said where it listens; None when it ended instead, and said why on stderr."""
        assert process.stdout
        told = [process.stdout.readline() for _ in range(1 if settings.metrics_port is None else 2)]
        if not told[-1].startswith("recommender on "):
            process.wait()
            return None
        return cls(process, told[0].split()[-1] if len(told) > 1 else None)


class Workers:
    """As many as the settings ask for, on a port of which nobody else listens."""

    def __init__(self, settings: ServingSettings) -> None:
        """Raises OSError when the port is taken."""
        self._settings = settings
        self._reserved = _reserve(settings.host, settings.port)
        self.port: int = self._reserved.getsockname()[1]
        self._workers: list[Worker] = []

    def metrics(self) -> list[str]:
        """Addresses of the pages of those that live."""
        return [worker.metrics for worker in self._workers if worker.metrics]

    def start(self) -> bool:
        """All at once; False when one could not."""
        processes = [Worker.start(self._settings, self.port) for _ in range(self._settings.workers)]
        started = [Worker.listening(process, self._settings) for process in processes]
        self._workers = [worker for worker in started if worker]
        return len(self._workers) == len(started)

    def replace_dead(self) -> None:
        """Start another worker for each that has ended."""
        for place, worker in enumerate(self._workers):
            if (code := worker.process.poll()) is None:
                continue
            logger.error("worker %d ended with exit code %d, another takes its place", place, code)
            successor = Worker.listening(Worker.start(self._settings, self.port), self._settings)
            if successor:
                self._workers[place] = successor

    def stop(self) -> None:
        """Each finishes what it has begun; one that does not is killed."""
        for worker in self._workers:
            worker.process.terminate()
        until = time.monotonic() + _STOP_S
        for worker in self._workers:
            try:
                worker.process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
        self._reserved.close()


def main() -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code."""
    with starting() as settings:
        workers = Workers(settings)
        metrics_port = settings.metrics_port
        if metrics_port is not None:
            metrics_port = SummedMetrics(workers.metrics).serve(settings.host, metrics_port)
    stop = asked_to_stop()
    try:
        if not workers.start():
            return 1
        print(f"recommender on {settings.host}:{workers.port}", flush=True)
        if settings.metrics_port == 0:
            print(f"metrics on {settings.host}:{metrics_port}", flush=True)
        while not stop.wait(_LOOK_S):
            workers.replace_dead()
    finally:
        workers.stop()
    return 0


def _reserve(host: str, port: int) -> socket.socket:
    """A socket bound to the port, not listening: it keeps the number while workers come and go.

    Raises:
        OSError: somebody else has the port, though they would share it.
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    try:
        with socket.socket(family, kind, protocol) as alone:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(address)
            taken = alone.getsockname()
        reserved = socket.socket(family, kind, protocol)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(taken)
    except OSError as error:
        raise OSError(
            f"can't listen on {host}:{port}, is it in use? Stop what listens there, or set PENCHANT_PORT"
        ) from error
    return reserved


if __name__ == "__main__":
    sys.exit(main())
