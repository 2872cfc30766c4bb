"""Calls a function again and again in a thread of its own."""

from collections.abc import Callable
from threading import Event, Thread


class PollingThread:
    """Calls `poll` every `period_s` seconds until it is closed; `poll` handles its errors."""

    def __init__(self, name: str, poll: Callable[[], object], period_s: float, at_once: bool = False) -> None:
        """`at_once`: the first call comes at the start, not after a period."""
        self._poll, self._period_s, self._at_once = poll, period_s, at_once
        self._stopped = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the thread, after the call that is in progress."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def wait(self, seconds: float) -> None:
        """Wait in `poll`, or until the thread is to end."""
        self._stopped.wait(seconds)

    def _run(self) -> None:
        if self._at_once:
            self._poll()
        while not self._stopped.wait(self._period_s):
            self._poll()
