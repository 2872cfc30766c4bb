"""Supervises several worker processes on one port: starts them, replaces dead ones, stops them.

The interpreter computes one answer at a time, so each CPU core needs a process. The kernel distributes
connections among them (SO_REUSEPORT). The supervisor serves only the metrics, summed over the workers.
"""

import logging
import os
import socket
import sys
import time
from threading import Event
from typing import Final

from serving.configuration.settings import ServingSettings
from serving.process.child_process import ChildProcess
from serving.process.startup import process_startup, stop_event
from serving.telemetry.worker_metrics import SummedMetrics

logger = logging.getLogger(__name__)

# Interval of the liveness check; a worker that fails at its start is restarted this often.
_CHECK_S: Final = 0.5

# Time for workers to stop; longer than serving.server gives the calls in flight.
_STOP_S: Final = 15.0


class Workers:
    """The worker processes on a port that is reserved for them."""

    def __init__(self, settings: ServingSettings) -> None:
        """Raises OSError when the port is in use."""
        self._settings = settings
        self._reservation = _reserve(settings.host, settings.port)
        self.port: int = self._reservation.getsockname()[1]
        self._workers: list[ChildProcess] = []

    def metrics(self) -> list[str]:
        """Return the addresses of the workers' metrics."""
        return [worker.addresses["metrics"] for worker in self._workers if "metrics" in worker.addresses]

    def start(self, stop: Event) -> bool:
        """Start all workers at the same time, and wait until they listen.

        Returns:
            False when one of them fails to start, or when `stop` is set before.
        """
        self._workers = [_start_process(self._settings, self.port) for _ in range(self._settings.workers)]
        return all(worker.wait_until_listening(stop.is_set) for worker in self._workers)

    def replace_dead(self) -> None:
        """Start a new worker for each one that has ended; does not wait until it listens."""
        for number, worker in enumerate(self._workers):
            if (code := worker.popen.poll()) is not None:
                logger.error("worker %d ended with exit code %d; starting another", number, code)
                worker.wait_or_kill(time.monotonic())  # it has ended; closes its pipes
                self._workers[number] = _start_process(self._settings, self.port)

    def stop(self) -> None:
        """Let each worker finish its calls in flight; kill those that take too long."""
        for worker in self._workers:
            worker.terminate()
        deadline = time.monotonic() + _STOP_S
        for worker in self._workers:
            worker.wait_or_kill(deadline)
        self._reservation.close()


def _start_process(settings: ServingSettings, port: int) -> ChildProcess:
    own = {"WORKERS": "1", "SHARED_PORT": "true", "END_WITH_PARENT": "true", "PORT": str(port)}
    if settings.metrics_port is not None:
        own["METRICS_PORT"] = "0"
    environment = os.environ | {f"PENCHANT_{name}": value for name, value in own.items()}
    return ChildProcess("serving.server", [], environment, announces="recommender")


def main() -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    with process_startup() as settings:
        workers = Workers(settings)
        metrics_port = settings.metrics_port
        if metrics_port is not None:
            metrics_port = SummedMetrics(workers.metrics).serve(settings.host, metrics_port)
    stop = stop_event()
    try:
        if not workers.start(stop):
            return 0 if stop.is_set() else 1
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
