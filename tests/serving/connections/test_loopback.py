"""Connections to this machine never go to the proxy that the environment names."""

import asyncio
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry, start_http_server

from serving.client import AsyncRecommender, Recommender
from serving.connections.loopback import bypass_proxy, is_loopback
from serving.interest.model_server_client import InterestClient
from tests.fake_model_server import fake_model_server
from tests.patience import HANG_S
from tests.serving.service import running

pytestmark = pytest.mark.usefixtures("dead_proxy")


@pytest.fixture
def model_server() -> Iterator[str]:
    """The address of a server that has version 1 of the interest model and computes nothing."""
    with fake_model_server() as server:
        yield server.address


def test_a_plain_grpc_channel_would_use_the_proxy(model_server: str) -> None:
    with grpc.insecure_channel(model_server) as channel:
        call: Any = channel.unary_unary("/any/Method")
        with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
            call(b"", timeout=HANG_S)


def test_clients_reach_a_recommender_of_this_machine(tmp_path: Path) -> None:
    async def record(address: str) -> str:
        async with AsyncRecommender(address, timeout_s=HANG_S) as client:
            return await client.record("u", "comedy-1")

    with running(tmp_path) as service:
        with Recommender(service.address, timeout_s=HANG_S) as client:
            assert client.record("u", "comedy-1")
        assert asyncio.run(record(service.address))


def test_the_client_of_the_model_server_reaches_one_of_this_machine(model_server: str) -> None:
    client = InterestClient(model_server)
    assert client.available_versions(HANG_S) == [1]
    client.close()


def test_http_reaches_this_machine_after_bypass_proxy() -> None:
    server, thread = start_http_server(0, "127.0.0.1", CollectorRegistry())
    page = f"http://127.0.0.1:{server.server_port}/metrics"
    # urlopen would keep the proxies of its first call in this process.
    with pytest.raises(OSError, match="refused"):
        urllib.request.build_opener().open(page, timeout=HANG_S)

    bypass_proxy()

    with urllib.request.build_opener().open(page, timeout=HANG_S) as answer:
        assert answer.status == 200
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"no_proxy": "example.org"}, {"no_proxy": "example.org"}),
        ({"https_proxy": "http://p:1"}, "localhost,127.0.0.1,::1"),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "example.org"}, "example.org,localhost,127.0.0.1,::1"),
        ({"all_proxy": "http://p:1", "no_proxy": "::1, .b"}, "::1,.b,localhost,127.0.0.1"),
        ({"all_proxy": "http://p:1", "no_proxy": "*"}, {"all_proxy": "http://p:1", "no_proxy": "*"}),
    ],
)
def test_bypass_proxy_keeps_the_given_hosts(given: dict[str, str], expected: dict[str, str] | str) -> None:
    environment = dict(given)
    bypass_proxy(environment)
    if isinstance(expected, str):
        expected = {**given, "no_proxy": expected, "NO_PROXY": expected}
    assert environment == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:50051", True),
        ("127.8.0.1:1", True),
        ("localhost:50051", True),
        ("LOCALHOST", True),
        ("dns:///localhost:50051", True),
        ("dns:localhost:50051", True),
        ("ipv4:127.0.0.1:50051", True),
        ("ipv6:[::1]:50051", True),
        ("[::1]:50051", True),
        ("::1", True),
        ("0.0.0.0:50051", True),
        ("recommender:50051", False),
        ("localhost.example.org:50051", False),
        ("10.0.0.7:50051", False),
        ("[2001:db8::1]:50051", False),
        ("dns://127.0.0.1/recommender:50051", False),
    ],
)
def test_is_loopback_reads_the_targets_of_grpc(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected
