"""Streams that stay open without a call: Health.Watch, and calls that send headers and never a message.

Three connections keep 300 of each open, with a valid token, and open every stream that the server ends again,
while another client asks for recommendations.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Final

from tests.attack.figures import Figure
from tests.attack.load import ordinary_calls
from tests.attack.raw_http2 import RawConnection
from tests.serving.service import running

STREAMS: Final = 300
CONNECTIONS: Final = 3
CALLS: Final = 300

# Deadline of a valid call.
_DEADLINE_S: Final = 1.0

# The attacker opens ended streams again this often.
_REOPEN_S: Final = 0.05

_TOKEN: Final = "a-token-of-a-customer"
_WATCH: Final = "/grpc.health.v1.Health/Watch"
_RECOMMEND: Final = "/penchant.v1.RecommenderService/Recommend"


def figures() -> list[Figure]:
    with TemporaryDirectory() as root, running(Path(root), token=_TOKEN) as service, _attack(service.address):
        answered = ordinary_calls(service.address, _TOKEN, CALLS, _DEADLINE_S).answered
    return [
        Figure(
            "calls answered despite 300 watches, 300 half-open calls",
            f"{answered:.1%}",
            "≥ 99 %",
            answered >= 0.99,
        )
    ]


@contextmanager
def _attack(address: str) -> Iterator[None]:
    stop = Event()
    threads = [Thread(target=_keep_open, args=(address, stop), daemon=True) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    stop.wait(1)  # the attack stands before the first valid call
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _keep_open(address: str, stop: Event) -> None:
    """Keep a connection's share of both kinds of streams open, on a new connection where one was closed."""
    while not stop.is_set():
        try:
            with RawConnection(address) as connection:
                while not connection.ended and not stop.wait(_REOPEN_S):
                    paths = list(connection.paths.values())
                    for path, message in ((_WATCH, b""), (_RECOMMEND, None)):
                        for _ in range(STREAMS // CONNECTIONS - paths.count(path)):
                            connection.open_stream(path, {"authorization": f"Bearer {_TOKEN}"}, message)
        except OSError:
            stop.wait(_REOPEN_S)
