"""One thread computes at a time, the others wait their turn."""

from threading import Lock
from types import TracebackType


class Turnstile:
    """Keeps threads from fighting for the interpreter.

    Each array operation lets go of it for a moment, another thread takes it, and the first has to win it
    back: 16 threads that compute an answer each take three times the processor time that they take one after
    the other. Whoever waits for a network must not hold a turn.
    """

    def __init__(self) -> None:
        self._lock = Lock()

    def turn(self, patience_s: float) -> "Turn":
        """A turn, or none where it does not come within `patience_s`, for an answer must come in time."""
        return Turn(self._lock, max(0.0, patience_s))


class Turn:
    """To be entered once."""

    __slots__ = ("_held", "_lock", "_patience_s")

    def __init__(self, lock: Lock, patience_s: float) -> None:
        self._lock, self._patience_s = lock, patience_s

    def __enter__(self) -> None:
        self._held = self._lock.acquire(timeout=self._patience_s)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held:
            self._lock.release()
