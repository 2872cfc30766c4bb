"""Ends a local run that is told to stop: on SIGTERM as on Ctrl-C, and with it the steps that still run."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pipelines.local_run.run_lock import LOCK, holders

# How long the steps of a stopped run may take to end before they are killed.
GRACE_S: Final = 5.0
_POLL_S: Final = 0.05


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM; only in the main thread, as Python allows it nowhere else."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def stop_steps(home: Path) -> None:
    """End the steps of the run that this process has in `home`.

    On Linux only; elsewhere they end at their next line of output.
    """
    _signal_steps(home, signal.SIGTERM)
    end = time.monotonic() + GRACE_S
    while _steps(home) and time.monotonic() < end:
        time.sleep(_POLL_S)
    _signal_steps(home, signal.SIGKILL)


def _steps(home: Path) -> list[int]:
    return [process for process in holders(home / LOCK) if process != os.getpid()]


def _signal_steps(home: Path, number: signal.Signals) -> None:
    for process in _steps(home):
        with suppress(ProcessLookupError):
            os.kill(process, number)
