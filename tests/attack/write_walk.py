"""Kills an action with SIGKILL at each of its writes in turn, in forked processes, which need no imports."""

import contextlib
import io
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from signal import SIGKILL
from typing import Final

from sqlalchemy import Engine, event

from tests.attack.figures import Figure
from tests.fault_points import die_at_write

Action = Callable[[], object]

_FORK: Final = multiprocessing.get_context("fork")

_engines: set[Engine] = set()
event.listen(Engine, "engine_connect", lambda connection: _engines.add(connection.engine))


def memory() -> str | None:
    """Return a folder in memory, where no commit waits for a disk; None where there is none."""
    folder = "/dev/shm"
    return folder if os.access(folder, os.W_OK) else None


def walk(what: str, folder: Path, restore: Action, action: Action, check: Action) -> Figure:
    """Kill the action at its first write below `folder`, its second, … until it ends before one.

    Args:
        restore: goes back to the state before the action.
        check: what follows a kill: the next command, and assertions about what it leaves.
    """
    whole = 0
    for number in count(1):
        with contextlib.redirect_stdout(io.StringIO()):
            restore()
            if not _is_killed(partial(die_at_write, folder, number, action)):
                break
            try:
                check()
            except Exception:  # also the errors of the next command
                print(f"{what}: not whole after a kill at write {number}", file=sys.stderr)
                traceback.print_exc()
            else:
                whole += 1
    writes = number - 1
    return Figure(f"killed: {what}", f"{whole} of {writes} writes whole", "all", 0 < writes == whole)


def _is_killed(action: Action) -> bool:
    """Run the action in a forked process; return whether a SIGKILL ended it.

    Raises:
        RuntimeError: the action raised an error, whose traceback is on standard error.
    """
    for engine in _engines:
        engine.dispose()  # a fork must not inherit its connections
    process = _FORK.Process(target=action)
    process.start()
    process.join()
    if process.exitcode not in (0, -SIGKILL):
        raise RuntimeError(f"the action failed, with exit code {process.exitcode}")
    return process.exitcode == -SIGKILL
