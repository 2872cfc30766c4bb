"""How tests wait: for an event, with one limit that only ends a hang.

No limit decides a test: a busy machine may need minutes for work that takes a quiet machine a second.
"""

import time
from collections.abc import Callable
from typing import Final

from serving.errors import Unavailable

HANG_S: Final = 1800.0


def wait_until(condition: Callable[[], bool], pause_s: float = 0.01) -> None:
    """Poll `condition()` every `pause_s` until it is true; an unavailable service counts as false.

    Raises:
        AssertionError: it is still false after HANG_S.
    """
    end = time.monotonic() + HANG_S
    while True:
        try:
            if condition():
                return
        except Unavailable:
            pass
        assert time.monotonic() < end, "the condition never became true"
        time.sleep(pause_s)
