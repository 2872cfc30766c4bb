"""The `penchant` command and the tutorial, run as a user runs them."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from components.run_record import RunRecord
from pipelines.local_run.run_lock import is_locked
from tests.patience import HANG_S, wait_until

PENCHANT: Final = Path(sys.executable).with_name("penchant")
TUTORIAL: Final = Path(__file__).parents[1] / "examples" / "first_recommender.py"

# A model so small that a run takes half a minute.
SMALL_MODEL: Final = ["--set", "epochs=4", "--set", "embedding_size=16", "--set", "units=16"]


def environment(home: Path) -> dict[str, str]:
    """The environment of a command that works in `home`."""
    return {**os.environ, "PENCHANT_HOME": str(home), "COLUMNS": "160"}


def penchant(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [str(PENCHANT), *arguments],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_S,
    )


def run_tutorial(folder: Path) -> str:
    """Run the tutorial, whose home is `folder`/home; returns what it printed."""
    path = f"{PENCHANT.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, str(TUTORIAL)],
        env={**os.environ, "PATH": path, "TUTORIAL_FOLDER": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def train(*arguments: str, home: Path) -> str:
    """Run the pipeline, which must succeed; returns what it printed."""
    done = penchant("run", *SMALL_MODEL, *arguments, home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Served:
    """`penchant serve`, and the addresses that it printed."""

    process: "subprocess.Popen[str]"
    recommender: str  # host:port
    model_server: str


def served_addresses(output: str) -> tuple[str, str]:
    """Return the addresses of recommender and model server that `penchant serve` printed."""
    (addresses,) = re.findall(r"recommender on (\S+), model server on (\S+)", output)
    return addresses


@contextmanager
def serve(home: Path) -> Iterator[Served]:
    """Serve the live release, with unlimited budgets: on a busy machine any other may run out."""
    budgets = ("DEADLINE_MS", "HISTORY_BUDGET_MS", "INTEREST_BUDGET_MS")
    unlimited = {f"PENCHANT_{name}": str(1000 * HANG_S) for name in budgets}
    # A suite that runs in the background ignores SIGINT, and so would its children.
    heed_interrupts = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        [str(PENCHANT), "serve", "--port", "0", "--model-port", "0"],
        env=environment(home) | unlimited,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    ) as process:
        try:
            assert process.stdout
            yield Served(process, *served_addresses(process.stdout.readline()))
        finally:
            process.terminate()


def is_free(address: str) -> bool:
    """Return whether nothing listens at an address."""
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=HANG_S).close()
    except ConnectionRefusedError:
        return True
    return False


def kill(*arguments: str, home: Path, step: str = "", line: str = "") -> None:
    """Start a command; kill all its processes once its first step runs, or `step` has printed `line`."""
    logs_before = set(home.glob("runs/*/run.log"))
    start = f"Executing task \x1b[96m'{step.lower().replace(' ', '-')}'"

    def is_there() -> bool:
        logs = set(home.glob("runs/*/run.log")) - logs_before
        if not step:
            return any(RunRecord.read(log.parent).steps for log in logs)
        return any(line in log.read_text().partition(start)[2] for log in logs)

    command = [str(PENCHANT), *arguments]
    with subprocess.Popen(
        command, env=environment(home), stdout=subprocess.DEVNULL, start_new_session=True
    ) as run:
        wait_until(lambda: run.poll() is not None or is_there())
        os.killpg(run.pid, signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL, "the command ended before it could be killed"
    wait_until(lambda: not is_locked(home))  # a killed step may take a while to end
