"""Requests of a megabyte whose lists are too long, sent one after the other with a valid token."""

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import grpc

from serving.protos import recommender_pb2 as pb
from tests.attack.figures import Figure
from tests.attack.load import ordinary_calls
from tests.serving.service import running

CALLS: Final = 300

_TOKEN: Final = "a-token-of-a-customer"
_RECOMMEND: Final = "/penchant.v1.RecommenderService/Recommend"

# What an ordinary call may wait for a refusal: to parse a megabyte takes up to 20 ms.
_WANTED_MS: Final = 50.0


def figures() -> list[Figure]:
    with TemporaryDirectory() as root, running(Path(root), token=_TOKEN) as service:
        alone = ordinary_calls(service.address, _TOKEN, CALLS, deadline_s=1)
        with _attack(service.address):
            attacked = ordinary_calls(service.address, _TOKEN, CALLS, deadline_s=1)
    return [
        Figure(
            "p90 of ordinary calls, while 1 MB requests are refused",
            f"{attacked.p90_ms:.0f} ms ({alone.p90_ms:.0f} ms alone)",
            f"≤ {_WANTED_MS:g} ms more",
            attacked.p90_ms <= alone.p90_ms + _WANTED_MS,
        )
    ]


@contextmanager
def _attack(address: str) -> Iterator[None]:
    """Send the requests in a process of its own, which shares no interpreter with the service."""
    context = get_context("spawn")
    began = context.Event()
    process = context.Process(target=_send, args=(address, began), daemon=True)
    process.start()
    try:
        began.wait()
        yield
    finally:
        process.kill()
        process.join()


def _send(address: str, began: Any) -> None:
    ids = [format(number, "x") for number in range(150_000)]
    body = pb.RecommendRequest(exclude_item_ids=ids).SerializeToString()
    with grpc.insecure_channel(address) as channel:
        call: Any = channel.unary_unary(_RECOMMEND)
        while True:
            try:
                call(body, metadata=(("authorization", f"Bearer {_TOKEN}"),))
            except grpc.RpcError as error:
                began.set()
                if error.code() is grpc.StatusCode.UNAVAILABLE:  # the service has ended
                    return
