"""A few random requests for every method; `python -m tests.attack random_requests` sends more."""

from collections.abc import Iterator

import grpc
import pytest
from hypothesis import given, settings

from tests.attack.random_requests import ALLOWED, Call, calls, counted_tracebacks, send
from tests.patience import HANG_S
from tests.serving.service import running


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[grpc.Channel]:
    with (
        running(tmp_path_factory.mktemp("service")) as service,
        grpc.insecure_channel(service.address) as channel,
        counted_tracebacks() as tracebacks,
    ):
        yield channel
    assert tracebacks == []


@settings(max_examples=100, derandomize=True, deadline=None, database=None)
@given(call=calls())
def test_every_request_is_answered_or_refused(channel: grpc.Channel, call: Call) -> None:
    assert send(channel, call, HANG_S) in ALLOWED
