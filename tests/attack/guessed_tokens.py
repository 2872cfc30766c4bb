"""A client that tries tokens on many connections, while another one uses a valid token."""

import logging
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import grpc

from tests.attack.figures import Figure
from tests.serving.service import running

CONNECTIONS: Final = 50
GUESSES: Final = 40  # of each connection

_TOKEN: Final = "a-token-of-a-customer"
_RECOMMEND: Final = "/penchant.v1.RecommenderService/Recommend"

# Wrong tokens of an address that are checked: 100, then 10 per second.
_FIRST, _PER_SECOND = 100, 10


class _Lines(logging.Handler):
    """Counts the log lines of refused calls."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1


def figures() -> list[Figure]:
    lines = _Lines()
    logger = logging.getLogger("serving.api.refusals")
    logger.addHandler(lines)
    with TemporaryDirectory() as root, running(Path(root), token=_TOKEN) as service:
        began = time.monotonic()
        checked = sum(_guess(service.address) for _ in range(CONNECTIONS))
        seconds = time.monotonic() - began
        answered = bool(service.client.recommend("u").recommendations)
    logger.removeHandler(lines)
    allowed = _FIRST + _PER_SECOND * seconds
    return [
        Figure(
            f"tokens checked of {CONNECTIONS * GUESSES} guessed in {seconds:.0f} s",
            str(checked),
            f"1 to {allowed:.0f}",
            0 < checked <= allowed,
        ),
        Figure(
            "log lines of the refusals",
            str(lines.count),
            "1 to 2 a second",
            0 < lines.count <= 2 * seconds + 2,
        ),
        Figure("a client with a valid token is answered", "yes" if answered else "no", "yes", answered),
    ]


def _guess(address: str) -> int:
    """Try tokens on a connection of its own, and return how many of them were checked."""
    checked = 0
    with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        call: Any = channel.unary_unary(_RECOMMEND)
        for guess in range(GUESSES):
            try:
                call(b"", metadata=(("authorization", f"Bearer guess-{guess}"),))
            except grpc.RpcError as error:
                checked += error.code() is grpc.StatusCode.UNAUTHENTICATED
    return checked
