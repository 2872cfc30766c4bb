"""The load generator against servers whose answers are known, and the table that it fills."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from serving.protos import recommender_pb2 as pb
from tests.benchmarks import load
from tests.benchmarks.figures import stage_table
from tests.benchmarks.load import Target
from tests.benchmarks.processes import Stages


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
def no_warming(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "WARMING", 0)


def sound(*_: object) -> bytes:
    return pb.RecommendResponse(basis=pb.BASIS_HISTORY).SerializeToString()


def test_an_answer_is_late_from_when_its_request_was_due() -> None:
    def slow(*_: object) -> bytes:
        time.sleep(0.02)
        return sound()

    # 200 a second are due, one thread answers 50 a second: the last of 40 waits for all before it.
    with serving(slow, threads=1) as target:
        measured = load.open_loop(target, rate=200, seconds=0.2)
    assert (measured.count, measured.errors) == (40, 0)
    assert measured.p999 > 400
    assert measured.p50 > 100


def test_arrivals_do_not_wait_for_answers() -> None:
    def slow(*_: object) -> bytes:
        time.sleep(0.2)
        return sound()

    with serving(slow, threads=40) as target:
        start = time.monotonic()
        measured = load.open_loop(target, rate=200, seconds=0.1)
        assert time.monotonic() - start < 3  # one after the other would take 4
    assert measured.count == 20


def test_errors_and_degraded_answers_are_counted() -> None:
    asked: list[bytes] = []

    def flawed(request: bytes, context: grpc.ServicerContext) -> bytes:
        asked.append(request)
        if len(asked) % 4 == 0:
            context.abort(grpc.StatusCode.INTERNAL, "no")
        cuts = [pb.Degradation(stage=pb.STAGE_INTEREST)] if len(asked) % 4 == 1 else []
        return pb.RecommendResponse(degraded=cuts).SerializeToString()

    with serving(flawed, threads=1) as target:
        measured = load.open_loop(target, rate=400, seconds=0.1)
    assert (measured.count, measured.errors, measured.degraded) == (40, 10, 10)


def test_one_client_asks_in_turn_and_goes_on_where_it_stopped() -> None:
    asked: list[str] = []

    def remember(request: bytes, _: grpc.ServicerContext) -> bytes:
        asked.append(pb.RecommendRequest.FromString(request).user_id)
        return sound()

    with serving(remember) as target:
        measured = load.one_client({"x": target}, rounds=2, calls=4)
    assert asked == ["a", "b", "c", "a", "b", "c", "a", "b"]
    assert measured["x"].count == 8


def test_the_rate_of_many_clients_is_what_was_answered_in_time() -> None:
    def slow(*_: object) -> bytes:
        time.sleep(0.02)
        return sound()

    # Of 4 clients, 2 at a time are answered 50 times a second each.
    with serving(slow, threads=2) as target:
        ((rate,),) = load.many_clients({"x": target}, clients=4, rounds=1, seconds=0.4).values()
    assert 40 < rate <= 100


def test_an_answer_that_would_spoil_the_figures_is_refused() -> None:
    with serving(sound) as target, pytest.raises(RuntimeError, match="expected 10 items"):
        load.answer(target)


def test_stages_are_read_from_the_metrics_and_sum_to_what_the_client_sees() -> None:
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
    assert table["beside the stages"] == pytest.approx(90_000)
    assert table["gRPC"] == pytest.approx(50_000)
    assert sum(us for name, us in table.items() if name != "client") == pytest.approx(table["client"])
