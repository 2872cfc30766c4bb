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


@contextmanager
def run_lock(home: Path) -> Iterator[None]:
    """Lock the home for one run; the lock is free when the run and all its steps have ended.

    The lock file is the standard input of this process meanwhile, and so that of the steps: the lock belongs
    to the open file, and the operating system frees it when the last process that has it open ends. A step
    that goes on after its run was killed keeps the lock. No step reads the terminal.

    Raises:
        HomeInUse: another run has the lock.
    """
    with (home / LOCK).open("a") as file:
        try:
            _acquire(file)
        except BlockingIOError as error:
            processes = ", ".join(map(str, holders(home / LOCK)))
            named = f" (processes {processes})" if processes else ""
            raise HomeInUse(
                f"another run is in progress in {home}{named}: wait until it ends, or choose another home "
                "with --home"
            ) from error
        with _as_standard_input(file.fileno()):
            yield


def _acquire(file: IO[str]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # Somebody who only looks (`is_locked`) has the lock for an instant.
        time.sleep(_LOOK_S)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


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
