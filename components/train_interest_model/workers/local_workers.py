"""Workers that are processes of this machine."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import IO, Final

FOLLOWER: Final = "components.train_interest_model.workers.follower"
_TAIL_LINES: Final = 20


class LocalWorkers:
    """The workers beside the chief, each a process with a file for its output."""

    def __init__(self, count: int) -> None:
        """`count`: all workers, the chief too."""
        self._count = count
        self._processes: list[subprocess.Popen[bytes]] = []
        self._logs: list[Path] = []

    def hosts(self, attempt: int) -> tuple[str, ...]:
        """Return the loopback address for each of them."""
        return ("127.0.0.1",) * self._count

    def start(self, attempt: int, shared: str, folder: Path) -> None:
        """Start them; `shared` is the folder of the group, `folder` one for their output."""
        self._processes, self._logs = [], []
        for number in range(self._count - 1):
            log = folder / f"worker-{number + 2}.log"
            with log.open("wb") as output:
                self._processes.append(start_process(FOLLOWER, [shared, str(number)], output))
            self._logs.append(log)

    def failure(self) -> str:
        """Return how one has failed, "" if none has."""
        for number, process in enumerate(self._processes):
            if code := process.poll():
                name = f"worker {number + 2} of {self._count}"
                for line in self._logs[number].read_text(errors="replace").splitlines()[-_TAIL_LINES:]:
                    print(f"{name}: {line}", file=sys.stderr)
                return f"{name} {describe_exit(code)}"
        return ""

    def stop(self) -> None:
        """End them, and wait for it."""
        for process in self._processes:
            end_process(process)


def start_process(module: str, arguments: list[str], output: IO[bytes] | None) -> subprocess.Popen[bytes]:
    """Start a process that calls `end_with_step`; `output` is a file, None for that of this process."""
    command = [sys.executable, "-m", module, *arguments]
    errors = subprocess.STDOUT if output else None
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=errors)


def end_with_step() -> None:
    """End this process when the one that started it ends, however that ends; not in a pod of its own.

    By SIGKILL: TensorFlow takes SIGTERM for the notice that its machine will be needed, and goes on.
    """

    def wait_for_end() -> None:
        while os.read(0, 1024):  # the other end of the pipe closes; nobody writes
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    if stat.S_ISFIFO(os.fstat(0).st_mode):
        Thread(target=wait_for_end, name="end of the step", daemon=True).start()


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Kill a process if it still runs: it has nothing to tidy up, and TensorFlow may keep it from ending."""
    process.kill()
    process.wait()
    if process.stdin:
        process.stdin.close()


def describe_exit(code: int) -> str:
    """Return words for an exit code of subprocess, to follow the name of a process."""
    if code >= 0:
        return f"ended with exit code {code}"
    reason = " (often: too little memory)" if code == -signal.SIGKILL else ""
    return f"was ended by {signal.Signals(-code).name}{reason}"
