"""A process that has imported what the steps of a local run need, and forks each step from itself.

The imports take longer than the work of most steps: kfp, Feast, MLflow and TensorFlow take 13 CPU seconds.
Here each is imported once in a run, that of the next step while a step works, on another core.
`step_process` asks for a step, with its standard streams, environment, arguments and time limit, and gets its
exit code.
"""

import atexit
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pipelines.local_run.step_costs import cpu_line
from pipelines.local_run.step_process import ADDRESS, READS, STARTS, end_after, is_abandoned, run
from pipelines.step_environment import FORKED

# Modules that a module of the steps imports late, because not every use of it needs them.
_LATE: Final = {"components.mlflow_client": "components.mlflow_stores"}

# Imported first: after Feast's metrics, which set a variable, it would keep all metrics in files.
_FIRST: Final = "prometheus_client"

# Steps whose modules are imported before they are asked for: kfp runs steps that are ready in any order.
_AHEAD: Final = 3

_has_succeeded: Final = threading.Event()  # this process, the server's or that of a step


@contextmanager
def fork_server(steps: Sequence[Sequence[str]]) -> Iterator[None]:
    """Let the steps that this process starts be forked from a server; on Linux only.

    macOS allows no fork of a process that has used its frameworks.

    Args:
        steps: the modules that each step imports, in an order in which the steps can run.
    """
    with TemporaryDirectory(prefix="steps-") as folder, socket.socket(socket.AF_UNIX) as listener:
        address = str(Path(folder, "socket"))
        try:
            listener.bind(address)
        except OSError:  # the path of the folder is too long
            address = ""
        if not address or sys.platform != "linux":
            yield  # each step imports what it needs
            return
        listener.listen()
        with _started(listener, steps), _variable(ADDRESS, address):
            yield


@contextmanager
def _started(listener: socket.socket, steps: Sequence[Sequence[str]]) -> Iterator[None]:
    """Start the server; it ends with its standard input, so also when this process is killed."""
    module = "pipelines.local_run.fork_server"
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(listener.fileno()), json.dumps(steps)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[listener.fileno()],
        env=os.environ | FORKED,
    )
    listener.close()  # only the server has it now: when the server has ended, no step can connect
    with process:
        try:
            yield
        except BaseException:
            process.terminate()  # it may import for some seconds
            raise


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def main() -> None:
    """Serve until standard input ends; in a forked process, run a step."""
    _, descriptor, steps = sys.argv
    atexit.register(_end)  # before the imports of the steps: the first handler runs last
    gc.disable()  # collections take a quarter of the time of the imports, whose modules live until the end
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of Ctrl-C, which the runner handles
    before = set(os.environ)
    _try_import(_FIRST)
    with socket.socket(fileno=int(descriptor)) as listener:
        step = _serve(listener, json.loads(steps))
    if step is not None:
        gc.enable()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        set_by_imports = {name: value for name, value in os.environ.items() if name not in before}
        os.environ.clear()
        os.environ.update(set_by_imports | step["environment"])
        end_after(step["end"])
        if numpy_random := sys.modules.get("numpy.random"):
            numpy_random.seed()  # else all steps would draw the same; Python itself reseeds `random`
        atexit.register(lambda: print(cpu_line(), flush=True))
        run(*step["arguments"])
    _has_succeeded.set()


def _end() -> None:
    """End this process; after a success without freeing all modules, which takes 3 CPU seconds."""
    if _has_succeeded.is_set():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    gc.unfreeze()  # else DuckDB names what is frozen as a leak, below the step's error


def _serve(listener: socket.socket, steps: list[list[str]]) -> dict[str, Any] | None:
    """Fork for each request, and return it in the process of the step; return None at the end."""
    ahead, served = deque(steps), 0
    while True:
        spare = len(steps) - len(ahead) - served
        wait_s = None if not ahead or spare >= _AHEAD else 0
        ready = select.select([listener, sys.stdin], [], [], wait_s)[0] if spare > 0 or not ahead else []
        if not ready:
            _import(ahead.popleft())
        elif listener in ready:
            connection, _ = listener.accept()
            with connection:
                if not os.fork():
                    listener.close()
                    return _fork_step(connection)
            served += 1
            _wait_for_ended(os.WNOHANG)
        else:
            _wait_for_ended(0)
            return None


def _wait_for_ended(options: int) -> None:
    """Wait for the forked processes, with WNOHANG only for those that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, options)[0]:
            pass


def _fork_step(connection: socket.socket) -> dict[str, Any]:
    """Fork the process of a step, in which this returns; wait for it, and answer with its exit code.

    This process has the streams of the step before it looks whether the run was stopped: who stops a run
    finds its processes by their standard input (`termination.stop_steps`), so also the step from its start.
    """
    try:
        connection.sendall(READS)
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        request = connection.makefile().read()
        if is_abandoned():
            os._exit(0)
        connection.sendall(STARTS)
    except ConnectionError:  # who asked was ended while this process imported
        os._exit(0)
    if process := os.fork():
        os.closerange(0, 3)
        _kill_if_abandoned(process, connection)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        with suppress(OSError):  # who asked was killed
            connection.sendall(str(code).encode())
        os._exit(0)
    step: dict[str, Any] = json.loads(request)
    return step


def _kill_if_abandoned(process: int, connection: socket.socket) -> None:
    """Return when a step has ended; kill it if who asked for it ends first: it may be tried again."""
    ended = os.pidfd_open(process)
    events = select.poll()
    events.register(ended, select.POLLIN)
    events.register(connection, 0)  # POLLHUP alone, which needs no registration
    if ended not in dict(events.poll()):
        signal.pidfd_send_signal(ended, signal.SIGKILL)


def _import(modules: Sequence[str]) -> None:
    for name in modules:
        _try_import(name)
    for module, late in _LATE.items():
        if module in sys.modules:
            _try_import(late)
    gc.freeze()  # else the first collection in each step would copy the memory of all objects


def _try_import(name: str) -> None:
    with suppress(BaseException):  # SystemExit too: the step imports it again, and reports the error
        importlib.import_module(name)


if __name__ == "__main__":
    main()
