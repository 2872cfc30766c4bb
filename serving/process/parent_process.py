"""Ends a child process with its parent, however the parent ends."""

import os
import signal
from threading import Thread


def end_with_parent() -> None:
    """Send SIGTERM to this process when its standard input closes.

    The parent holds the other end of the pipe and writes nothing: the operating system closes it when the
    parent ends, also by SIGKILL. `serving.process.child_process` starts such children.
    """
    Thread(target=_wait_for_end, name="parent process", daemon=True).start()


def _wait_for_end() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
