"""Kills an action at its n-th write: the test walks all moments at which a process can be killed.

Inside the process, so that a walk takes seconds: the write is refused by `Killed`, and so is every later one,
because a killed process cleans nothing up. `die_at_write` ends the process for good.

Writes are what changes a file system or a database: files opened for writing, renamed and removed,
directories, and the changes that a SQL transaction is about to commit. What happens inside of a hidden
directory is one moment: no reader sees it before its rename.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

_CHANGES: Final = ("INSERT", "UPDATE", "DELETE")
_FLAGS: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# Audit event -> the positions of its path and of the descriptor of the directory that the path is in.
_EVENTS: Final = {"os.rename": (0, 2), "os.remove": (0, 1), "os.rmdir": (0, 1), "os.mkdir": (0, 2)}


class Killed(BaseException):
    """Ends the action; no `except Exception` catches it."""


class _Counter:
    """Counts the writes below a folder, and refuses those from `kill_at` on."""

    def __init__(self, folder: Path, kill_at: int, kill: Callable[[], object]) -> None:
        self.folder, self.kill_at, self._kill, self.count = folder, kill_at, kill, 0

    def write(self, what: str, path: Path) -> None:
        if not path.is_relative_to(self.folder):
            return
        hidden = any(part.startswith(".") for part in path.relative_to(self.folder).parts)
        if hidden and what != "os.rename":
            return
        self.count += 1
        if self.count >= self.kill_at:
            self._kill()


_active: list[_Counter] = []


def _audit(name: str, arguments: tuple[Any, ...]) -> None:
    if not _active:
        return
    if name == "open":
        path, mode, flags = arguments
        if isinstance(path, str | bytes) and (flags & _FLAGS or set(mode or "") & set("wax+")):
            _active[0].write(name, Path(os.fsdecode(path)).absolute())
    elif name in _EVENTS:
        path, directory = (arguments[index] for index in _EVENTS[name])
        inside = Path(f"/proc/self/fd/{directory}").readlink() if directory > 2 else Path.cwd()
        _active[0].write(name, inside / os.fsdecode(path))


def _mark_changed(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
    if _active and statement.lstrip().upper().startswith(_CHANGES):
        connection.info["changed"] = True


def _before_commit(connection: Connection) -> None:
    if _active and connection.info.pop("changed", False):
        _active[0].write("commit", _active[0].folder)


sys.addaudithook(_audit)
event.listen(Engine, "before_cursor_execute", _mark_changed)
event.listen(Engine, "commit", _before_commit)


@contextmanager
def _counting(folder: Path, kill_at: int, kill: Callable[[], object]) -> Iterator[_Counter]:
    counter = _Counter(folder, kill_at, kill)
    _active.append(counter)
    try:
        yield counter
    finally:
        _active.clear()


def count_writes(folder: Path, action: Callable[[], object]) -> int:
    """Return the number of writes of the action below `folder`."""
    with _counting(folder, sys.maxsize, _refuse) as counter:
        action()
    return counter.count


def kill_at_write(folder: Path, number: int, action: Callable[[], object]) -> None:
    """Run the action until its write `number` (from 1), which does not happen, and no later one does."""
    try:
        with _counting(folder, number, _refuse):
            action()
    except Killed:
        return
    raise AssertionError(f"the action ended before its write {number}")


def die_at_write(folder: Path, number: int, action: Callable[[], object]) -> None:
    """Run the action; SIGKILL ends this process at the action's write `number`."""
    with _counting(folder, number, lambda: os.kill(os.getpid(), signal.SIGKILL)):
        action()


def _refuse() -> None:
    raise Killed
