"""Streams without a call, opened with raw HTTP/2 frames: they take nothing from other clients."""

from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.attack.raw_http2 import RawConnection
from tests.patience import HANG_S, wait_until
from tests.serving.service import RunningService, running

TOKEN = "a-token-of-a-customer"
RECOMMEND = "/penchant.v1.RecommenderService/Recommend"
WATCH, CHECK = "/grpc.health.v1.Health/Watch", "/grpc.health.v1.Health/Check"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with room for four calls."""
    with running(
        tmp_path_factory.mktemp("service"), token=TOKEN, max_concurrent_requests=4, message_timeout_ms=1e9
    ) as service:
        yield service


@pytest.fixture
def connection(service: RunningService) -> Iterator[RawConnection]:
    with RawConnection(service.address) as connection:
        yield connection


def test_calls_without_a_message_keep_nobody_out(service: RunningService, connection: RawConnection) -> None:
    for path in (RECOMMEND, CHECK):
        for _ in range(20):
            connection.open_stream(path, {"authorization": f"Bearer {TOKEN}"})
    assert service.client.recommend("u").recommendations
    wait_until(lambda: len(connection.paths) <= 4)  # the others gave way
    assert service.client.recommend("u").recommendations
    with grpc.insecure_channel(service.address) as channel:
        request = health_pb2.HealthCheckRequest()
        assert health_pb2_grpc.HealthStub(channel).Check(request, timeout=HANG_S).status == 1


def test_a_call_without_a_valid_token_ends_before_its_message_comes(connection: RawConnection) -> None:
    for path in (RECOMMEND, "/unknown.Service/Method"):
        connection.open_stream(path, {"authorization": "Bearer wrong"})
    wait_until(lambda: not connection.paths)


def test_a_connection_watches_the_health_eight_times(
    service: RunningService, connection: RawConnection
) -> None:
    for _ in range(30):
        connection.open_stream(WATCH, {}, b"")
    wait_until(lambda: len(connection.paths) <= 8)
    assert service.client.recommend("u").recommendations
