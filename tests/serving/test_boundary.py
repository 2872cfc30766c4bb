"""What a call costs is counted from its arrival, whatever it then waits for."""

from collections import namedtuple

import grpc
import pytest

from serving.boundary import Boundary
from serving.logs import RequestLog
from serving.metrics import Metrics
from serving.rate_limit import RateLimit

Call = namedtuple("Call", ("method", "invocation_metadata"))


class Context:
    def time_remaining(self) -> None:
        return None

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"


def test_time_in_the_queue_is_time_of_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10.0]
    monkeypatch.setattr("serving.boundary.perf_counter", lambda: now[0])

    def answer(request: bytes, _context: Context) -> bytes:
        now[0] += 0.25
        return request

    metrics = Metrics()
    boundary = Boundary(RateLimit(0), metrics, RequestLog(enabled=False, user_ids=False))
    call = Call("/penchant.v1.RecommenderService/Recommend", ())
    handler = boundary.intercept_service(lambda _: grpc.unary_unary_rpc_method_handler(answer, bytes), call)
    now[0] += 3.0  # all threads are taken
    assert handler.unary_unary(b"asked", Context()) == b"asked"

    read = metrics.registry.get_sample_value
    assert read("penchant_stage_seconds_sum", {"stage": "waiting"}) == 3.0
    assert read("penchant_request_seconds_sum", {"method": "Recommend", "code": "OK"}) == 3.25
