"""The server process and its port: health, reflection, TLS, metrics, start and stop."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from serving.client import Recommender
from serving.errors import Unavailable
from serving.server import SERVICE
from tests.patience import HANG_S, wait_until
from tests.serving.service import FakeFeatures, RunningService, running
from tests.serving.tls import Certificates


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("service")) as service:
        yield service


def health(address: str, name: str = "") -> int:
    with grpc.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=name)
        status: int = health_pb2_grpc.HealthStub(channel).Check(request, timeout=HANG_S).status
        return status


def scraped(port: int) -> dict[str, float]:
    """Read the metrics page: sample -> value."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=HANG_S).read().decode()
    samples = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


def serve(home: Path, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "serving.server"],
        env={**os.environ, "PENCHANT_HOME": str(home), "PENCHANT_PORT": "0", **environment},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_without_a_release_it_records_but_is_not_serving_and_names_the_next_step(tmp_path: Path) -> None:
    with running(tmp_path, live=None) as service:
        assert health(service.address) == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(Unavailable, match=r"no release is live in .*train one with `penchant run`"):
            service.client.recommend("u")
        service.client.record("u", "comedy-1")
        service.go_live(1)
        wait_until(lambda: health(service.address, SERVICE) == health_pb2.HealthCheckResponse.SERVING)
        assert service.client.recommend("u").basis == "history"


def test_health_check_serves_only_once_the_feature_store_answers(
    tmp_path: Path, gate: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def user(_: FakeFeatures, user_id: str) -> None:
        if user_id == "":  # the read that warms the store up
            gate.wait(HANG_S)
        elif not gate.is_set():
            raise ConnectionError

    monkeypatch.setattr("serving.api.health._WARM_UP_S", HANG_S)
    monkeypatch.setattr(FakeFeatures, "user", user)
    with running(tmp_path) as service:
        assert service.client.recommend("u").degraded
        assert health(service.address) == health_pb2.HealthCheckResponse.NOT_SERVING
        gate.set()
        wait_until(lambda: health(service.address) == health_pb2.HealthCheckResponse.SERVING)
        assert service.client.recommend("u").degraded == []


def test_reflection_allows_a_call_in_json_without_the_proto_file(service: RunningService) -> None:
    with grpc.insecure_channel(service.address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert {SERVICE, "grpc.health.v1.Health"} <= set(database.get_services())
        method = DescriptorPool(database).FindServiceByName(SERVICE).methods_by_name["Recommend"]
        request, response = map(GetMessageClass, (method.input_type, method.output_type))
        message = json_format.Parse('{"k": 2, "history": [{"itemId": "horror-3"}]}', request())
        call = channel.unary_unary(f"/{SERVICE}/Recommend", request.SerializeToString, response.FromString)
        answer = json_format.MessageToDict(call(message, timeout=HANG_S))
    assert answer["basis"] == "BASIS_REQUEST_HISTORY"
    assert [item["categories"] for item in answer["recommendations"]] == [["Horror"]] * 2


def test_mutual_tls_refuses_clients_without_a_certificate(tmp_path: Path, certificates: Certificates) -> None:
    tls: dict[str, Any] = {
        "tls_certificate": certificates.server,
        "tls_key": certificates.server_key,
        "tls_client_ca": certificates.authority,
    }
    with running(tmp_path, live=None, **tls) as service:
        address = service.address.replace("127.0.0.1", "localhost")
        with (
            Recommender(
                address,
                HANG_S,
                tls_roots=certificates.authority,
                tls_certificate=certificates.client,
                tls_key=certificates.client_key,
            ) as client,
        ):
            assert client.record("u", "comedy-1")
        for client in (Recommender(address, 1, tls_roots=certificates.authority), Recommender(address, 1)):
            with client, pytest.raises(Unavailable):
                client.record("u", "comedy-1")


def test_metrics_show_stages_fallbacks_and_the_release(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with running(tmp_path, metrics_port=port) as service:
        service.model.down = True
        before = scraped(port)
        service.client.recommend("u", history=["comedy-1"])
        after = scraped(port)
    assert after["penchant_release_version"] == 1
    for name in (
        'penchant_degradations_total{fallback="collaborative_filters",stage="interest"}',
        'penchant_answers_total{basis="request_history"}',
    ):
        assert after[name] - before.get(name, 0) == 1
    for stage in ("history", "interest", "retrieval", "rules", "reranking", "explanations"):
        assert after[f'penchant_stage_duration_seconds_count{{stage="{stage}"}}'] >= 1
    assert 'penchant_request_duration_seconds_count{code="OK",method="Recommend"}' in after


def test_the_process_prints_its_address_and_stops_on_sigterm(tmp_path: Path) -> None:
    with serve(tmp_path) as process:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("recommender on 127.0.0.1:")
        with Recommender(line.split()[-1], timeout_s=HANG_S) as client:
            client.record("u", "comedy-1")
        modes = {file.name: file.stat().st_mode & 0o77 for file in tmp_path.rglob("*")}
        assert modes["interaction_log.db"] == 0
        assert not any(modes.values()), modes
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_S) == 0


def test_a_call_in_flight_finishes_before_the_server_stops(tmp_path: Path) -> None:
    started = Event()

    def record(address: str) -> str:
        with Recommender(address, timeout_s=HANG_S) as client:
            return client.record("u", "comedy-1", interaction_id="last")

    with ThreadPoolExecutor(1) as pool:
        with running(tmp_path, drain_s=HANG_S) as service:
            write = service.log.record

            def slow(interactions: Any, without_time: Any = ()) -> int:
                started.set()
                time.sleep(0.3)
                return write(interactions, without_time)

            service.log.record = slow  # type: ignore[method-assign]
            recording = pool.submit(record, service.address)
            assert started.wait(HANG_S)
        assert recording.result() == "last"


def test_a_port_in_use_stops_the_start_with_one_line_that_names_the_next_step(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with serve(tmp_path, PENCHANT_PORT=str(taken.getsockname()[1])) as process:
            _, errors = process.communicate(timeout=HANG_S)
    assert process.returncode == 1
    assert errors.strip().splitlines()[-1].startswith("recommender: can't listen on 127.0.0.1:")
    assert "PENCHANT_PORT" in errors
    assert "Traceback" not in errors


def test_a_wrong_setting_stops_the_start_with_its_name(tmp_path: Path) -> None:
    with serve(tmp_path, PENCHANT_MAX_IN_FLIGHT="many") as process:
        _, errors = process.communicate(timeout=HANG_S)
    assert process.returncode == 2
    assert "PENCHANT_MAX_IN_FLIGHT='many'" in errors
    assert "Traceback" not in errors


def test_the_server_imports_no_training_library() -> None:
    command = "import sys, serving.server.__main__; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    ).stdout
    heavy = {"tensorflow", "keras", "pandas", "kfp", "mlflow", "great_expectations", "feast"}
    assert not heavy & set(modules.split())
