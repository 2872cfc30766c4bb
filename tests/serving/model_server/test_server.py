"""The process and the port of the model server: start, stop, errors and health."""

import gc
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from feature_repo.histories import History
from serving.interest.model_server_client import InterestClient
from serving.model_server.server import StartError, create_server
from tests.patience import HANG_S

HISTORY = History(["a"], ["i1"], ["view"], [1.0], [7])


@pytest.fixture
def base_path(releases: Mapping[float, Path], tmp_path: Path) -> Path:
    shutil.copytree(releases[1.0], tmp_path / "interest" / "1")
    return tmp_path / "interest"


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def run(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "serving.model_server", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_prints_its_address_serves_and_stops_on_a_signal(base_path: Path, number: int) -> None:
    process = run("--base-path", str(base_path), "--port", "0")
    assert process.stdout is not None
    line = process.stdout.readline()
    address = line.removeprefix("model server on ").strip()
    client = InterestClient(address)

    assert line == f"model server on {address}\n"
    assert client.interest([HISTORY], timeout_s=HANG_S).interest.tolist() == [[1.0, 1.0]]

    client.close()
    process.send_signal(number)
    out, err = process.communicate(timeout=HANG_S)
    assert (process.returncode, out) == (0, "")
    assert [line.split(" in ")[0] for line in err.splitlines()] == ["model interest: version 1 loaded"]


def test_a_port_in_use_prints_one_line_and_exits_with_1(base_path: Path, taken_port: int) -> None:
    process = run("--base-path", str(base_path), "--port", str(taken_port))

    out, err = process.communicate(timeout=HANG_S)

    assert (process.returncode, out) == (1, "")
    assert err == (
        f"model server: can't listen on 127.0.0.1:{taken_port}: stop the process that uses it, "
        "or choose another --port\n"
    )


def test_a_missing_base_path_prints_one_line_and_exits_with_1(tmp_path: Path) -> None:
    process = run("--base-path", str(tmp_path / "nowhere"))

    out, err = process.communicate(timeout=HANG_S)

    assert (process.returncode, out) == (1, "")
    assert err.startswith(f"model server: no directory at {tmp_path}/nowhere: expected version directories")


def test_an_invalid_policy_is_a_usage_error(base_path: Path) -> None:
    process = run("--base-path", str(base_path), "--port", "0", "--version-policy", "newest")

    out, err = process.communicate(timeout=HANG_S)

    assert (process.returncode, out) == (2, "")
    assert "expected latest:COUNT, all or specific:VERSION,..., got 'newest'" in err


def test_two_servers_cannot_share_a_port(base_path: Path) -> None:
    server, port = create_server(base_path)

    with pytest.raises(StartError, match=f"can't listen on 127.0.0.1:{port}"):
        create_server(base_path, port=port)
    server.stop().wait()


def test_a_stopped_server_leaves_no_object_frozen(base_path: Path) -> None:
    server, _ = create_server(base_path)
    server.start()
    assert gc.get_freeze_count() > 0
    server.stop().wait()
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize(
    "service", ["", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"]
)
def test_health_is_serving_while_a_version_is_available(base_path: Path, service: str) -> None:
    (base_path / "1").rename(base_path / ".1")
    server, port = create_server(base_path, poll_seconds=0.01)
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        watch = HealthStub(channel).Watch(HealthCheckRequest(service=service), timeout=HANG_S)
        assert next(watch).status == HealthCheckResponse.NOT_SERVING

        (base_path / ".1").rename(base_path / "1")
        assert next(watch).status == HealthCheckResponse.SERVING

        shutil.rmtree(base_path / "1")
        assert next(watch).status == HealthCheckResponse.NOT_SERVING
        watch.cancel()
    server.stop().wait()
