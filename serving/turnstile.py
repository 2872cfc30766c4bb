"""One thread computes at a time; who waits for something else steps aside meanwhile."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_thread = threading.local()


class Turnstile:
    """Keeps threads from fighting for the interpreter.

    Each array operation lets go of it for a moment, another thread takes it, and the first has to win it
    back: 16 threads that compute an answer each take three times the processor time that they take one after
    the other. Turns come in the order in which they were asked for: in any other, a few wait for long.
    """

    def __init__(self, patience_s: float = 0.05) -> None:
        """`patience_s`: who waits longer for a turn goes on without one, for an answer must come in time."""
        self._patience_s = patience_s
        self._lock, self._taken = threading.Lock(), False
        self._waiting = deque[threading.Lock]()  # each is let go of when its turn comes

    @contextmanager
    def turn(self, patience_s: float | None = None) -> Iterator[None]:
        """This thread's; it has none yet. A shorter patience than the turnstile's may be given."""
        patience_s = self._patience_s if patience_s is None else min(patience_s, self._patience_s)
        self._take(patience_s)
        try:
            yield
        finally:
            self._leave()

    def _take(self, patience_s: float) -> None:
        _thread.held = self if self._came(patience_s) else None

    def _came(self, patience_s: float) -> bool:
        with self._lock:
            if not self._taken:
                self._taken = True
                return True
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        if mine.acquire(timeout=max(0.0, patience_s)):
            return True
        with self._lock:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return False
        return True  # it came at the last moment

    def _leave(self) -> None:
        if _thread.held is not self:
            return
        _thread.held = None
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


@contextmanager
def aside() -> Iterator[None]:
    """Let another thread compute while this one waits, and take a turn again afterwards."""
    held: Turnstile | None = getattr(_thread, "held", None)
    if held is None:
        yield
        return
    held._leave()
    try:
        yield
    finally:
        held._take(held._patience_s)
