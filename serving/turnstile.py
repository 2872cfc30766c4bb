"""One thread computes at a time, the others wait their turn."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class Turnstile:
    """Keeps threads from fighting for the interpreter.

    Each array operation lets go of it for a moment, another thread takes it, and the first has to win it
    back: 16 threads that compute an answer each take three times the processor time that they take one after
    the other. Whoever waits for a network must not hold a turn.
    """

    def __init__(self) -> None:
        self._lock = Lock()

    @contextmanager
    def turn(self, patience_s: float) -> Iterator[None]:
        """A turn, or none where it does not come within `patience_s`, for an answer must come in time."""
        held = self._lock.acquire(timeout=max(0.0, patience_s))
        try:
            yield
        finally:
            if held:
                self._lock.release()
