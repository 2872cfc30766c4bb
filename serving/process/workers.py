"""Supervises several worker processes on one port: starts them, replaces dead ones, stops them.

The interpreter computes one answer at a time, so each CPU core needs a process. The kernel distributes
connections among them (SO_REUSEPORT). The supervisor serves only the metrics, summed over the workers.
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
from serving.process.startup import process_startup, stop_event
from serving.telemetry.worker_metrics import SummedMetrics

logger = logging.getLogger(__name__)

# Interval of the liveness check; a worker that fails at its start is restarted this often.
_CHECK_S: Final = 0.5

# Time for workers to stop; longer than serving.server gives the calls in flight.
_STOP_S: Final = 15.0


@dataclass(frozen=True)
class Worker:
    """A server process that listens."""

    process: "subprocess.Popen[str]"
    metrics: str | None  # address (host:port) of its metrics


class Workers:
    """The worker processes on a port that is reserved for them."""

    def __init__(self, settings: ServingSettings) -> None:
        """Raises OSError when the port is in use."""
        self._settings = settings
        self._reservation = _reserve(settings.host, settings.port)
        self.port: int = self._reservation.getsockname()[1]
        self._workers: list[Worker] = []

    def metrics(self) -> list[str]:
        """Return the addresses of the workers' metrics."""
        return [worker.metrics for worker in self._workers if worker.metrics]

    def start(self) -> bool:
        """Start all workers at the same time; return False if one of them fails to start."""
        processes = [_start_process(self._settings, self.port) for _ in range(self._settings.workers)]
        workers = [_wait_until_listening(process, self._settings) for process in processes]
        self._workers = [worker for worker in workers if worker]
        return len(self._workers) == len(workers)

    def replace_dead(self) -> None:
        """Start a new worker for each one that has ended."""
        for number, worker in enumerate(self._workers):
            if (code := worker.process.poll()) is None:
                continue
            logger.error("worker %d ended with exit code %d; starting another", number, code)
            process = _start_process(self._settings, self.port)
            if replacement := _wait_until_listening(process, self._settings):
                self._workers[number] = replacement

    def stop(self) -> None:
        """Let each worker finish its calls in flight; kill those that take too long."""
        for worker in self._workers:
            worker.process.terminate()
        deadline = time.monotonic() + _STOP_S
        for worker in self._workers:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
        self._reservation.close()


def _start_process(settings: ServingSettings, port: int) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PENCHANT_WORKERS": "1", "PENCHANT_SHARED_PORT": "true"}
    environment["PENCHANT_PORT"] = str(port)
    if settings.metrics_port is not None:
        environment["PENCHANT_METRICS_PORT"] = "0"
    command = [sys.executable, "-m", "serving.server"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def _wait_until_listening(process: "subprocess.Popen[str]", settings: ServingSettings) -> Worker | None:
    """Wait for the lines that announce the addresses; return None if the process ends instead."""
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(1 if settings.metrics_port is None else 2)]
    if not lines[-1].startswith("recommender on "):
        process.wait()
        return None
    return Worker(process, lines[0].split()[-1] if len(lines) > 1 else None)


def main() -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    with process_startup() as settings:
        workers = Workers(settings)
        metrics_port = settings.metrics_port
        if metrics_port is not None:
            metrics_port = SummedMetrics(workers.metrics).serve(settings.host, metrics_port)
    stop = stop_event()
    try:
        if not workers.start():
            return 1
        print(f"recommender on {settings.host}:{workers.port}", flush=True)
        if settings.metrics_port == 0:
            print(f"metrics on {settings.host}:{metrics_port}", flush=True)
        while not stop.wait(_CHECK_S):
            workers.replace_dead()
    finally:
        workers.stop()
    return 0


def _reserve(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to the port but does not listen, so that the port stays reserved.

    Raises:
        OSError: another process has the port, even if it would share it.
    """
    (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
        host.strip("[]"), port, type=socket.SOCK_STREAM
    )
    try:
        with socket.socket(family, kind, protocol) as exclusive:  # fails where another process listens
            exclusive.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            exclusive.bind(address)
            bound = exclusive.getsockname()
        reservation = socket.socket(family, kind, protocol)
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation.bind(bound)
    except OSError as error:
        raise OSError(
            f"can't listen on {host}:{port}: is the port in use? "
            "Stop the process that listens there, or set PENCHANT_PORT"
        ) from error
    return reservation


if __name__ == "__main__":
    sys.exit(main())
