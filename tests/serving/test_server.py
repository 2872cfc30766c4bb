"""The server as a process and a port: health, reflection, statuses, limits, tokens, TLS, start and stop."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.answers import Answer
from serving.client import AsyncRecommender, Recommender
from serving.errors import (
    Forbidden,
    InvalidRequest,
    PenchantError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from serving.protos import recommender_pb2 as pb
from serving.ranking.loaded_release import LoadedRelease, RankedItems
from serving.server import SERVICE
from tests.patience import HANG_S, wait_until
from tests.serving.service import FakeFeatures, Running, running
from tests.serving.tls import Certificates

RECOMMEND = f"/{SERVICE}/Recommend"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("service")) as service:
        yield service


def health(address: str, name: str = "") -> int:
    with grpc.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=name)
        status: int = health_pb2_grpc.HealthStub(channel).Check(request, timeout=HANG_S).status
        return status


def raw(address: str, method: str, body: bytes, timeout: float = HANG_S) -> bytes:
    """Call with bytes as they are."""
    with grpc.insecure_channel(address) as channel:
        answer: bytes = channel.unary_unary(method)(body, timeout=timeout)
        return answer


def test_before_a_release_it_is_not_serving_and_says_the_next_step(tmp_path: Path) -> None:
    with running(tmp_path, live=None) as service:
        assert health(service.address) == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(Unavailable, match=r"no release is live in .*train one with `penchant run`"):
            service.client.recommend("u")
        service.client.record("u", "comedy-1")  # what is recorded waits for the first release
        service.go_live(1)
        wait_until(lambda: health(service.address, SERVICE) == health_pb2.HealthCheckResponse.SERVING)
        assert service.client.recommend("u").basis == "history"


@pytest.fixture
def opened() -> Iterator[Event]:
    """A gate for a test to open; it opens at the latest when the test ends."""
    gate = Event()
    yield gate
    gate.set()


def test_health_check_serves_only_once_the_feature_store_answers(
    tmp_path: Path, opened: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def user(_: FakeFeatures, user_id: str) -> None:
        if user_id == "":  # the read that warms the store up
            opened.wait(HANG_S)
        elif not opened.is_set():
            raise ConnectionError

    monkeypatch.setattr("serving.api.health._WARM_UP_S", HANG_S)
    monkeypatch.setattr(FakeFeatures, "user", user)
    with running(tmp_path) as service:
        assert service.client.recommend("u").degraded
        assert health(service.address) == health_pb2.HealthCheckResponse.NOT_SERVING
        opened.set()
        wait_until(lambda: health(service.address) == health_pb2.HealthCheckResponse.SERVING)
        assert service.client.recommend("u").degraded == []


def test_reflection_is_all_that_a_call_in_json_needs_so_grpcurl_needs_no_proto(service: Running) -> None:
    with grpc.insecure_channel(service.address) as channel:
        reflected = ProtoReflectionDescriptorDatabase(channel)
        assert {SERVICE, "grpc.health.v1.Health"} <= set(reflected.get_services())
        method = DescriptorPool(reflected).FindServiceByName(SERVICE).methods_by_name["Recommend"]
        request, response = map(GetMessageClass, (method.input_type, method.output_type))
        asked = json_format.Parse('{"k": 2, "history": [{"itemId": "horror-3"}]}', request())
        call = channel.unary_unary(RECOMMEND, request.SerializeToString, response.FromString)
        answer = json_format.MessageToDict(call(asked, timeout=HANG_S))
    assert answer["basis"] == "BASIS_REQUEST_HISTORY"
    assert [item["categories"] for item in answer["recommendations"]] == [["Horror"]] * 2


def test_the_readme_s_client_does_what_it_shows(service: Running, capsys: pytest.CaptureFixture[str]) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert '"127.0.0.1:50051"' in example
    exec(example.replace("127.0.0.1:50051", service.address), {})
    assert len(capsys.readouterr().out.splitlines()) == 10
    (clicked,) = service.log.since("196", 0)
    assert clicked.event_type == "click"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.RecommendRequest(user_id="u", k=1001), "k: "),
        (pb.RecommendRequest(user_id="x" * 257), "user_id: "),
        (pb.RecommendRequest(user_id="u", exclude_item_ids=[""]), "exclude_item_ids: "),
        (pb.RecommendRequest(user_id="u", request_id="a\nb"), "request_id: "),
        (pb.RecommendRequest(user_id="u", history=[pb.Interaction()]), r"history\[0\]\.item_id: "),
    ],
)
def test_a_wrong_field_is_an_invalid_argument_that_names_it(
    service: Running, request_: pb.RecommendRequest, field: str
) -> None:
    with pytest.raises(grpc.RpcError, match=field) as caught:
        raw(service.address, RECOMMEND, request_.SerializeToString())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT  # type: ignore[attr-defined]


def test_what_goes_wrong_inside_is_logged_with_the_request_id_and_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as service:

        def fail(*_: Any) -> None:
            raise RuntimeError("the secret cause")

        service.model.interest = fail  # type: ignore[method-assign]
        with pytest.raises(PenchantError, match="request id mine") as caught:
            service.client.recommend("u", history=["comedy-1"], request_id="mine")
        assert "secret" not in str(caught.value)
        assert "the secret cause" in caplog.text
        assert "'mine'" in caplog.text


def test_a_message_that_is_too_large_is_refused(service: Running) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        raw(service.address, RECOMMEND, b"\x0a" + b"\xff" * (2 << 20))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # type: ignore[attr-defined]


def test_requests_above_the_rate_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.api.rate_limit.monotonic", lambda: 1000.0)  # the clock stands still
    with running(tmp_path, live=None, requests_per_second=3) as service:
        for _ in range(3):
            service.client.record("u", "comedy-1")
        with pytest.raises(TooManyRequests, match="3 requests per second"):
            service.client.record("u", "comedy-1")


def test_a_full_queue_refuses_more_at_once_and_answers_whom_it_took(
    tmp_path: Path, opened: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"max_in_flight": 1, "max_concurrent_requests": 3}
    with running(tmp_path, **limits) as service, ThreadPoolExecutor(5) as clients:
        monkeypatch.setattr(FakeFeatures, "user", lambda *_: opened.wait(HANG_S) and None)
        asked = [clients.submit(service.client.recommend, "u") for _ in range(5)]
        wait_until(lambda: sum(one.done() for one in asked) >= 2)
        opened.set()
        for one in asked:
            if (refused := one.exception()) is None:
                assert one.result().degraded == []
            else:
                assert isinstance(refused, TooManyRequests)
        assert service.client.recommend("u").degraded == []


def test_a_flood_is_refused_before_a_busy_service_comes_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rank, flood = LoadedRelease.rank, 40
    together = Barrier(flood)

    def recommend() -> Answer:
        together.wait(HANG_S)
        return service.client.recommend("u", k=3)

    def slow(*arguments: Any) -> RankedItems:
        time.sleep(0.1)  # as computing does, it keeps the event loop from everything else
        return rank(*arguments)

    with running(tmp_path, max_concurrent_requests=4) as service, ThreadPoolExecutor(flood) as clients:
        service.client.record("u", "comedy-1")
        monkeypatch.setattr(LoadedRelease, "rank", slow)
        asked = [clients.submit(recommend) for _ in range(flood)]
        refused = [error for one in asked if (error := one.exception())]
        assert {type(error) for error in refused} == {TooManyRequests}
        assert 0 < len(refused) < flood
        assert all(len(one.result().recommendations) == 3 for one in asked if not one.exception())
        monkeypatch.undo()
        assert service.client.recommend("u", k=3).degraded == []


def test_tokens_open_what_their_scope_says(tmp_path: Path) -> None:
    tokens = {"recommend": ["r" * 20], "record": ["w" * 20], "admin": ["a" * 20]}
    with running(tmp_path, live=None, tokens=tokens) as service:
        service.go_live(1)
        # The health check needs no token.
        wait_until(lambda: health(service.address) == health_pb2.HealthCheckResponse.SERVING)
        with pytest.raises(Unauthenticated, match="authorization: Bearer TOKEN"):
            service.client.recommend("u")
        with Recommender(service.address, HANG_S, token="x" * 20) as stranger, pytest.raises(Unauthenticated):
            stranger.recommend("u")
        with Recommender(service.address, HANG_S, token="r" * 20) as reader:
            assert reader.recommend("u").recommendations
            with pytest.raises(Forbidden, match="scope 'record'"):
                reader.record("u", "comedy-1")
        with Recommender(service.address, HANG_S, token="w" * 20) as writer:
            writer.record("u", "comedy-1")
            with pytest.raises(Forbidden, match="scope 'recommend'"):
                writer.interests("u")
        with Recommender(service.address, HANG_S, token="a" * 20) as admin:
            admin.record("u", "comedy-2")
            assert admin.recommend("u").basis == "history"
        with grpc.insecure_channel(service.address) as channel, pytest.raises(grpc.RpcError):
            ProtoReflectionDescriptorDatabase(channel).get_services()


def test_tls_is_spoken_and_a_client_without_a_certificate_refused(
    tmp_path: Path, certificates: Certificates
) -> None:
    tls = {
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
            ) as known,
        ):
            assert known.record("u", "comedy-1")
        for stranger in (Recommender(address, 1, tls_roots=certificates.authority), Recommender(address, 1)):
            with stranger, pytest.raises(Unavailable):
                stranger.record("u", "comedy-1")


def test_metrics_count_stages_fallbacks_and_the_release(tmp_path: Path) -> None:
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
        'penchant_degraded_total{fallback="collaborative_filters",stage="interest"}',
        'penchant_answers_total{basis="request_history"}',
    ):
        assert after[name] - before.get(name, 0) == 1
    for stage in ("history", "interest", "retrieval", "rules", "reranking", "reasons"):
        assert after[f'penchant_stage_seconds_count{{stage="{stage}"}}'] >= 1
    assert 'penchant_request_seconds_count{code="OK",method="Recommend"}' in after


def scraped(port: int) -> dict[str, float]:
    """Sample -> value, as Prometheus reads them."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=HANG_S).read().decode()
    samples = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


def test_the_async_client_asks_and_records_as_the_other_does(service: Running) -> None:
    async def ask() -> None:
        async with AsyncRecommender(service.address, HANG_S) as client:
            await client.record("async", "horror-3", event_type="rate", value=5.0, timestamp=1_000_000)
            answer, interests = await asyncio.gather(
                client.recommend("async", k=3), client.interests("async")
            )
            assert [item.categories for item in answer.recommendations] == [["Horror"]] * 3
            assert interests.interests[0].category == "Horror"
            with pytest.raises(InvalidRequest, match="k: "):
                await client.recommend("async", k=5000)

    asyncio.run(ask())


def test_the_client_rides_over_a_short_absence_and_counts_a_record_once(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        original, failures = service.log.record, iter([True, True, False, False])

        def lossy(interactions: Any) -> int:
            """Takes them, and then loses the answer twice."""
            recorded = original(interactions)
            if next(failures):
                raise Unavailable("the answer was lost")
            return recorded

        service.log.record = lossy  # type: ignore[method-assign]
        service.client.record("u", "comedy-1")
        assert len(service.log.since("u", 0)) == 1


TEXT = st.text(max_size=300)
TIMESTAMP = st.builds(
    lambda seconds, nanos: {"seconds": seconds, "nanos": nanos},
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**31), 2**31 - 1),
)
INTERACTION = st.builds(
    pb.Interaction,
    interaction_id=TEXT,
    user_id=st.sampled_from(["", "u"]) | TEXT,
    item_id=st.sampled_from(["comedy-1", "horror-2"]) | TEXT,
    event_type=TEXT,
    value=st.none() | st.floats(),
    timestamp=st.none() | TIMESTAMP,
    domain=TEXT,
)
IDS = st.lists(st.sampled_from(["comedy-1", "horror-2"]) | TEXT, max_size=5)
REQUEST = st.one_of(
    st.builds(
        pb.RecommendRequest,
        user_id=st.sampled_from(["", "u"]) | TEXT,
        k=st.integers(0, 60) | st.integers(0, 2**32 - 1),
        history=st.lists(INTERACTION, max_size=3),
        exclude_item_ids=IDS,
        allow_item_ids=IDS,
        domain=st.sampled_from(["", "films"]) | TEXT,
        categories=st.lists(st.sampled_from(["Comedy"]) | TEXT, max_size=3),
        include_seen=st.booleans(),
        explain=st.booleans(),
        request_id=TEXT,
        scenario=st.sampled_from(["", "content", "ads", "social", "email"]) | TEXT,
        exclude_categories=st.lists(st.sampled_from(["Horror"]) | TEXT, max_size=3),
        followed_user_ids=st.lists(st.sampled_from(["u"]) | TEXT, max_size=3),
        bids=st.dictionaries(st.sampled_from(["comedy-1"]) | TEXT, st.floats(), max_size=3),
    ),
    st.builds(pb.RecordInteractionsRequest, interactions=st.lists(INTERACTION, max_size=3)),
    st.builds(pb.GetInterestsRequest, user_id=TEXT, k=st.integers(0, 2**32 - 1)),
)
METHODS = {
    pb.RecommendRequest: "Recommend",
    pb.RecordInteractionsRequest: "RecordInteractions",
    pb.GetInterestsRequest: "GetInterests",
}


def outcome(service: Running, method: str, body: bytes) -> tuple[grpc.StatusCode, str]:
    """Status and details of a call with these bytes."""
    call = service.client._channel.unary_unary(f"/{SERVICE}/{method}")
    try:
        call(body, timeout=HANG_S)
    except grpc.RpcError as error:
        return error.code(), error.details() or ""  # type: ignore[attr-defined]
    return grpc.StatusCode.OK, ""


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=REQUEST)
def test_no_field_brings_anything_but_an_answer_or_a_named_fault(service: Running, request: Any) -> None:
    code, details = outcome(service, METHODS[type(request)], request.SerializeToString())
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT), details
    assert code is grpc.StatusCode.OK or ": expected " in details


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=200), method=st.sampled_from(sorted(METHODS.values())))
def test_malformed_bytes_are_refused_by_name(service: Running, body: bytes, method: str) -> None:
    code, details = outcome(service, method, body)
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT), details
    assert code is grpc.StatusCode.OK or ": expected " in details


def test_bytes_that_are_no_message_leave_a_line_like_any_call_and_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path, live=None, log_requests=True) as service, caplog.at_level("INFO"):
        code, details = outcome(service, "Recommend", b"\xff")
        wait_until(lambda: "code='INVALID_ARGUMENT'" in caplog.text)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details.startswith("Recommend: expected a RecommendRequest of recommender.proto, got 1 bytes")
    assert "Traceback" not in caplog.text


def serve(home: Path, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "serving.server"],
        env={**os.environ, "PENCHANT_HOME": str(home), "PENCHANT_PORT": "0", **environment},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_process_says_where_it_listens_and_stops_when_told(tmp_path: Path) -> None:
    with serve(tmp_path) as process:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("recommender on 127.0.0.1:")
        with Recommender(line.split()[-1], timeout_s=HANG_S) as client:
            client.record("u", "comedy-1")
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_S) == 0


def test_what_is_under_way_when_it_stops_is_finished(tmp_path: Path) -> None:
    begun = Event()

    def record(address: str) -> str:
        with Recommender(address, timeout_s=HANG_S) as client:
            return client.record("u", "comedy-1", interaction_id="last")

    with ThreadPoolExecutor(1) as pool:
        with running(tmp_path, drain_s=HANG_S) as service:
            write = service.log.record

            def slow(interactions: Any) -> int:
                begun.set()
                time.sleep(0.3)
                return write(interactions)

            service.log.record = slow  # type: ignore[method-assign]
            recording = pool.submit(record, service.address)
            assert begun.wait(HANG_S)
        assert recording.result() == "last"


def test_a_port_in_use_is_one_line_with_the_next_step(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with serve(tmp_path, PENCHANT_PORT=str(taken.getsockname()[1])) as process:
            _, errors = process.communicate(timeout=HANG_S)
    assert process.returncode == 1
    assert errors.strip().splitlines()[-1].startswith("recommender: can't listen on 127.0.0.1:")
    assert "PENCHANT_PORT" in errors
    assert "Traceback" not in errors


def test_a_setting_that_is_wrong_stops_the_start_with_its_name(tmp_path: Path) -> None:
    with serve(tmp_path, PENCHANT_MAX_IN_FLIGHT="many") as process:
        _, errors = process.communicate(timeout=HANG_S)
    assert process.returncode == 1
    assert "PENCHANT_MAX_IN_FLIGHT='many'" in errors
    assert "Traceback" not in errors


def test_the_serving_process_is_free_of_the_training_stack() -> None:
    command = "import sys, serving.server; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    ).stdout
    heavy = {"tensorflow", "keras", "pandas", "kfp", "mlflow", "great_expectations", "feast"}
    assert not heavy & set(modules.split())
