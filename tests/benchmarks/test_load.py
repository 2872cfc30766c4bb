"""The load generator against fake servers, and the table of stages."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import grpc
import pytest

from serving.protos import recommender_pb2 as pb
from tests.benchmarks import load
from tests.benchmarks.figures import stage_table
from tests.benchmarks.load import Target
from tests.benchmarks.processes import Stages
from tests.patience import HANG_S


@contextmanager
def serving(answer: Any, threads: int = 4) -> Iterator[Target]:
    class Handler(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(ThreadPoolExecutor(threads))
    server.add_generic_rpc_handlers((Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield Target.of(f"127.0.0.1:{port}", ["a", "b", "c"])
    server.stop(None).wait()


@pytest.fixture(autouse=True)
def _no_warm_up_and_no_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "WARM_UP", 0)
    monkeypatch.setattr(load, "_TIMEOUT_S", HANG_S)


def sound(*_: object) -> bytes:
    return pb.RecommendResponse(basis=pb.BASIS_HISTORY).SerializeToString()


def test_open_loop_counts_latency_from_when_a_request_was_due() -> None:
    def slow(*_: object) -> bytes:
        time.sleep(0.02)
        return sound()

    # 200 requests a second are due and one thread answers 50 a second: the last of 40 waits for all others.
    with serving(slow, threads=1) as target:
        measured = load.open_loop(target, rate=200, seconds=0.2)
    assert (measured.count, measured.errors) == (40, 0)
    assert measured.p999 > 400
    assert measured.p50 > 100


def test_open_loop_sends_requests_before_earlier_ones_are_answered() -> None:
    together = Barrier(20)

    def wait_for_the_others(*_: object) -> bytes:
        together.wait(HANG_S)
        return sound()

    with serving(wait_for_the_others, threads=20) as target:
        measured = load.open_loop(target, rate=200, seconds=0.1)
    assert (measured.count, measured.errors) == (20, 0)


def test_open_loop_counts_errors_and_degraded_answers() -> None:
    requests: list[bytes] = []

    def flawed(request: bytes, context: grpc.ServicerContext) -> bytes:
        requests.append(request)
        if len(requests) % 4 == 0:
            context.abort(grpc.StatusCode.INTERNAL, "no")
        cuts = [pb.Degradation(stage=pb.STAGE_INTEREST)] if len(requests) % 4 == 1 else []
        return pb.RecommendResponse(degraded=cuts).SerializeToString()

    with serving(flawed, threads=1) as target:
        measured = load.open_loop(target, rate=400, seconds=0.1)
    assert (measured.count, measured.errors, measured.degraded) == (40, 10, 10)


def test_one_client_sends_requests_in_turn_and_continues_in_the_next_round() -> None:
    users: list[str] = []

    def remember(request: bytes, _: grpc.ServicerContext) -> bytes:
        users.append(pb.RecommendRequest.FromString(request).user_id)
        return sound()

    with serving(remember) as target:
        measured = load.one_client({"x": target}, rounds=2, calls=4)
    assert users == ["a", "b", "c", "a", "b", "c", "a", "b"]
    assert measured["x"].count == 8


def test_many_clients_have_a_rate_of_the_answers_within_the_time() -> None:
    def slow(*_: object) -> bytes:
        time.sleep(0.02)
        return sound()

    # The server answers 2 of 4 clients at a time, each at most 50 times a second.
    with serving(slow, threads=2) as target:
        ((rate,),) = load.many_clients({"x": target}, clients=4, rounds=1, seconds=0.4).values()
    assert 0 < rate <= 100


def test_a_degraded_or_empty_answer_stops_the_measurement() -> None:
    with serving(sound) as target, pytest.raises(RuntimeError, match="expected 10 items"):
        load.answer(target)


def test_stages_are_read_from_the_metrics_and_sum_to_the_latency_of_the_client() -> None:
    page = """
penchant_stage_duration_seconds_sum{stage="history"} 0.{n}
penchant_stage_duration_seconds_sum{stage="rules"} 0.1
penchant_request_duration_seconds_count{code="OK",method="Recommend"} {n}0.0
penchant_request_duration_seconds_sum{code="OK",method="Recommend"} {n}.0
"""
    before, after = (Stages.read(page.replace("{n}", n)) for n in "24")
    means = after.since(before).mean_us()
    assert means == pytest.approx({"history": 1e4, "rules": 0.0, "handler": 1e5})
    table = stage_table(means, client_us=150_000)
    assert table["outside the stages"] == pytest.approx(90_000)
    assert table["gRPC"] == pytest.approx(50_000)
    assert sum(us for name, us in table.items() if name != "client") == pytest.approx(table["client"])
