"""Random requests and malformed bytes for every method: no internal error, no traceback, no hang."""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import grpc
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.attack.figures import Figure
from tests.attack.random_messages import METHODS, requests
from tests.serving.service import running

# A call without an answer after this time counts as a hang.
_HANG_S: Final = 20.0

# Requests between two looks at the clock.
_BATCH: Final = 200

# Answers of a healthy service to any request.
ALLOWED: Final = frozenset(
    {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,  # two interactions have one id
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)

Call = tuple[str, bytes]


def calls() -> st.SearchStrategy[Call]:
    """Return random calls: a method and the bytes of its request."""
    return st.one_of([st.tuples(st.just(method), requests(request)) for method, request in METHODS.items()])


def send(channel: grpc.Channel, call: Call, timeout_s: float) -> grpc.StatusCode:
    """Send a call and return its status."""
    method, body = call
    multicallable: Any = channel.stream_stream(method)
    responses = multicallable(iter([body]), timeout=timeout_s)
    try:
        for _ in responses:
            pass
    except grpc.RpcError:
        pass
    code: grpc.StatusCode = responses.code()
    return code


@contextmanager
def counted_tracebacks() -> Iterator[list[str]]:
    """Collect the log lines with a traceback or at the level of an error."""
    lines = list[str]()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info or record.levelno >= logging.ERROR:
                lines.append(record.getMessage())

    handler = Handler()
    logging.getLogger().addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(handler)


def figures(minutes: float = 2) -> list[Figure]:
    with (
        TemporaryDirectory() as root,
        running(Path(root)) as service,
        grpc.insecure_channel(service.address) as channel,
        counted_tracebacks() as tracebacks,
    ):
        codes = _codes(channel, minutes)
        answers = bool(service.client.recommend("nobody").recommendations)
    wrong = {code.name: count for code, count in codes.items() if code not in ALLOWED}
    answered, sent = codes[grpc.StatusCode.OK], codes.total()
    what = f"other statuses after {sent:,} random requests ({answered:,} answered)"
    return [
        Figure(what, str(wrong or 0), "0", answered > 0 and not wrong),
        Figure("tracebacks", str(len(tracebacks)), "0", not tracebacks),
        Figure("the service answers afterwards", "yes" if answers else "no", "yes", answers),
    ]


def _codes(channel: grpc.Channel, minutes: float) -> Counter[grpc.StatusCode]:
    """Send random calls until the time is over, and count their statuses."""
    codes, end, batch = Counter[grpc.StatusCode](), time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end:
        batch += 1

        @seed(batch)
        @settings(
            max_examples=_BATCH,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(calls())
        def send_all(call: Call) -> None:
            code = send(channel, call, _HANG_S)
            codes[code] += 1
            if code not in ALLOWED:
                print(f"{code.name}: {call[0]} {call[1]!r}")

        send_all()
    return codes
