"""A limit on streams that stay open: health watches and reflection."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from serving.errors import TooManyRequests

# Streams of one connection; a client library watches the health once a connection.
_PER_CONNECTION: Final = 8


class StreamLimit:
    """Counts open streams, in all and by connection; they take no slot of other calls."""

    def __init__(self, max_streams: int) -> None:
        self._max_streams, self._open = max_streams, Counter[str]()

    @contextmanager
    def slot(self, peer: str) -> Iterator[None]:
        """Hold a slot for a stream of `peer`; raises TooManyRequests when there is none."""
        if self._open[peer] >= _PER_CONNECTION or self._open.total() >= self._max_streams:
            if not self._open[peer]:
                del self._open[peer]
            raise TooManyRequests(
                f"expected at most {self._max_streams} open streams (PENCHANT_MAX_WATCHES), and at most "
                f"{_PER_CONNECTION} from one connection, got more; end some, or call Health.Check instead",
                limit="streams",
            )
        self._open[peer] += 1
        try:
            yield
        finally:
            self._open[peer] -= 1
            if not self._open[peer]:
                del self._open[peer]
