"""`penchant serve` and `penchant run` are killed with SIGKILL: their children end, or keep the lock."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil

from pipelines.errors import RunError
from pipelines.local_run.run_lock import run_lock
from tests.attack.figures import Figure
from tests.serving.planted import write_release

# Longest wait for an event; an attack that takes longer has not reached its goal.
TIMEOUT_S: Final = 600.0
CHILDREN_END_S: Final = 15.0  # the servers finish their calls first

_SLOW_STEP: Final = """
from pathlib import Path
from pipelines.local_run.runner import run_locally
from pipelines.settings import load_settings
from tests.attack.slow_pipeline import slow
run_locally(slow, load_settings(home=Path({home!r})), {{"seconds": 30.0}})
"""


def figures() -> list[Figure]:
    with TemporaryDirectory(prefix="orphaned-processes-") as folder:
        return [*_serve(Path(folder, "serve")), *_run(Path(folder, "run"))]


def _serve(home: Path) -> list[Figure]:
    write_release(home / "releases", 1)
    (home / "releases" / "live.json").write_text(json.dumps({"version": 1}))
    ports = [str(_free_port()), str(_free_port())]
    with _command("serve", home, ports) as first:
        children = psutil.Process(first.pid).children(recursive=True)
        first.kill()
        started = time.monotonic()
        _, alive = psutil.wait_procs(children, TIMEOUT_S)
        seconds = time.monotonic() - started
    with _command("serve", home, ports) as second:
        restarted = second.poll() is None
    logs = len(list(home.glob("runs/serve-*/server.log")))
    return [
        Figure(
            f"servers ended after SIGKILL of serve ({len(children)} processes)",
            f"{len(children) - len(alive)}, after {seconds:.1f} s",
            f"all, within {CHILDREN_END_S:.0f} s",
            bool(children) and not alive and seconds <= CHILDREN_END_S,
        ),
        Figure("serve again on the same ports", str(restarted), "True", restarted),
        Figure("logs of both", f"{logs} of 2", "all", logs == 2),
    ]


def _run(home: Path) -> list[Figure]:
    home.mkdir()
    program = [sys.executable, "-c", _SLOW_STEP.format(home=str(home))]
    with subprocess.Popen(program, env=_environment(home), stdout=subprocess.DEVNULL) as run:
        _wait(lambda: bool(list(home.glob("runs/*/steps/*/*/started"))))
        children = psutil.Process(run.pid).children(recursive=True)
        run.kill()
        run.wait()
        is_locked = _is_locked(home)
        started = time.monotonic()
        _, alive = psutil.wait_procs(children, TIMEOUT_S)
        seconds = time.monotonic() - started
    is_free = not _is_locked(home)
    return [
        Figure("home is locked while a step of a killed run works", str(is_locked), "True", is_locked),
        Figure(
            "the step ends at its next report, and the lock is free",
            f"{not alive and is_free}, after {seconds:.1f} s",
            "True",
            not alive and is_free,
        ),
    ]


def _is_locked(home: Path) -> bool:
    try:
        with run_lock(home):
            return False
    except RunError:
        return True


@contextmanager
def _command(name: str, home: Path, ports: list[str]) -> Iterator["subprocess.Popen[str]"]:
    """Run `penchant serve` until its recommender answers."""
    command = [sys.executable, "-m", "pipelines", name, "--port", ports[0], "--model-port", ports[1]]
    with subprocess.Popen(command, env=_environment(home), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield process
        finally:
            process.terminate()


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "PENCHANT_HOME": str(home)}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _wait(is_reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not reached within {TIMEOUT_S:.0f} s")
        time.sleep(0.05)
