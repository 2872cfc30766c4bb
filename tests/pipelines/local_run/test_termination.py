"""SIGTERM interrupts a run, also when it does not interrupt the system call that the run waits in."""

import os
import signal
import time
from threading import Event, Thread, get_ident

import pytest

from pipelines.local_run.termination import interrupted_by_sigterm
from tests.patience import HANG_S


def test_a_signal_that_another_thread_gets_interrupts_the_main_thread() -> None:
    """As for a signal that comes just before the main thread waits: its read goes on."""
    heeded, interrupted, gave_up = Event(), Event(), Event()
    output, step = os.pipe()

    def send() -> None:
        heeded.wait(HANG_S)
        time.sleep(0.2)  # until the main thread reads; a signal before that proves less
        signal.pthread_kill(get_ident(), signal.SIGTERM)
        if not interrupted.wait(HANG_S):
            gave_up.set()
        os.close(step)

    def read() -> None:
        with interrupted_by_sigterm():
            heeded.set()
            os.read(output, 1)

    thread = Thread(target=send)
    handler = signal.getsignal(signal.SIGTERM)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        read()
    interrupted.set()
    thread.join()
    os.close(output)

    assert not gave_up.is_set()
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_signal_interrupts_once() -> None:
    with interrupted_by_sigterm():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        assert not Event().wait(0.5)  # longer than the pause before a signal is sent again
