"""One run at a time in a home: a lock that also the steps of the run hold."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pipelines.errors import RunError

LOCK: Final = "run.lock"
_STANDARD_INPUT: Final = 0


@contextmanager
def run_lock(home: Path) -> Iterator[None]:
    """Lock the home for one run; the lock is free when the run and all its steps have ended.

    The lock file is the standard input of this process meanwhile, and so that of the steps: the lock belongs
    to the open file, and the operating system frees it when the last process that has it open ends. A step
    that goes on after its run was killed keeps the lock. No step reads the terminal.

    Raises:
        RunError: another run has the lock.
    """
    with (home / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(
                f"another run is in progress in {home}{_holders(home / LOCK)}: wait until it ends, or choose "
                "another home with --home"
            ) from error
        with _as_standard_input(file.fileno()):
            yield


@contextmanager
def _as_standard_input(descriptor: int) -> Iterator[None]:
    terminal = os.dup(_STANDARD_INPUT)
    os.dup2(descriptor, _STANDARD_INPUT)
    try:
        yield
    finally:
        os.dup2(terminal, _STANDARD_INPUT)
        os.close(terminal)


def _holders(lock: Path) -> str:
    """Return text with the ids of this user's processes whose standard input is the lock; Linux only."""
    holders = []
    for entry in Path("/proc").glob("[0-9]*/fd/0"):
        with suppress(OSError):  # it has ended, or belongs to another user
            if entry.samefile(lock):
                holders.append(int(entry.parts[2]))
    return f" (processes {', '.join(map(str, sorted(holders)))})" if holders else ""
