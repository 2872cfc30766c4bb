"""One run at a time in a home: a lock that also the steps of the run hold."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from pipelines.errors import HomeInUse

LOCK: Final = "run.lock"
_STANDARD_INPUT: Final = 0
_LOOK_S: Final = 0.1
# The longest wait for a lock that no run's process has: a recovery's, or that of `is_locked`, for an instant.
_RECOVERY_S: Final = 20.0


@contextmanager
def run_lock(home: Path) -> Iterator[None]:
    """Lock the home for one run; the lock is free when the run and all its steps have ended.

    The lock file is the standard input of this process meanwhile, and so that of the steps: the lock belongs
    to the open file, and the operating system frees it when the last process that has it open ends. A step
    that goes on after its run was killed keeps the lock. No step reads the terminal.

    A recovery (`recovery_lock`) is waited for.

    Raises:
        HomeInUse: another run has the lock.
    """
    with _locked(home, _RECOVERY_S) as file, _as_standard_input(file.fileno()):
        yield


@contextmanager
def recovery_lock(home: Path) -> Iterator[None]:
    """Lock the home for a recovery, which ends within seconds and starts no steps.

    Raises:
        HomeInUse: a run or another recovery has the lock.
    """
    with _locked(home, _LOOK_S):
        yield


@contextmanager
def _locked(home: Path, wait_s: float) -> Iterator[IO[str]]:
    with (home / LOCK).open("a") as file:
        end = time.monotonic() + wait_s
        while not _is_acquired(file):
            time.sleep(_LOOK_S)  # a killed step ends in an instant
            if _is_acquired(file):
                break
            processes = ", ".join(map(str, holders(home / LOCK)))
            if processes or time.monotonic() > end:
                named = f" (processes {processes})" if processes else ""
                raise HomeInUse(
                    f"another run is in progress in {home}{named}: wait until it ends, or choose another "
                    "home with --home"
                )
        yield file


def _is_acquired(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _as_standard_input(descriptor: int) -> Iterator[None]:
    terminal = os.dup(_STANDARD_INPUT)
    os.dup2(descriptor, _STANDARD_INPUT)
    try:
        yield
    finally:
        os.dup2(terminal, _STANDARD_INPUT)
        os.close(terminal)


def is_locked(home: Path) -> bool:
    """Return whether a run, or a step of one, has the lock."""
    try:
        with (home / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def holders(lock: Path) -> list[int]:
    """Return the ids of this user's processes whose standard input is the lock; Linux only."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/fd/0"):
        with suppress(OSError):  # it has ended, or belongs to another user
            if entry.samefile(lock):
                found.append(int(entry.parts[2]))
    return sorted(found)
