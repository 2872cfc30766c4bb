"""Ends a local run that is told to stop: on SIGTERM as on Ctrl-C, and with it the steps that still run."""

import os
import signal
import socket
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
# How long a signal's handler may wait for the main thread before the signal is sent again.
_REPEAT_S: Final = 0.2


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM; only in the main thread, as Python allows it nowhere else.

    A signal can arrive after the interpreter last looked for one and before it waits in a system call, such
    as a read of a step's output. It interrupts nothing then, and the wait would go on until the next output.
    So another thread sends the signal again until its handler has run.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handled = threading.Event()

    def interrupt(*_: object) -> None:
        handled.set()
        raise KeyboardInterrupt

    arrived, arrives = socket.socketpair()
    arrives.setblocking(False)
    repeater = threading.Thread(target=_repeat, args=(arrived, handled), name="signals", daemon=True)
    before = signal.signal(signal.SIGTERM, interrupt)
    wakeup_before = signal.set_wakeup_fd(arrives.fileno(), warn_on_full_buffer=False)
    repeater.start()
    try:
        yield
    finally:
        handled.set()
        signal.set_wakeup_fd(wakeup_before)
        arrives.close()
        repeater.join()  # it sends no signal after this, which the handler of before might end the process by
        arrived.close()
        signal.signal(signal.SIGTERM, before)


def _repeat(arrived: socket.socket, handled: threading.Event) -> None:
    """Send SIGTERM to the main thread until it is handled, once `arrived` names it; return at its end."""
    main = threading.main_thread().ident
    assert main is not None
    while numbers := arrived.recv(64):
        while signal.SIGTERM in numbers and not handled.wait(_REPEAT_S):
            signal.pthread_kill(main, signal.SIGTERM)


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
