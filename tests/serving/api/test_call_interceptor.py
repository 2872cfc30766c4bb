"""What a call costs is counted from its arrival, whatever it then waits for."""

import asyncio
from collections import namedtuple
from typing import Any

import grpc
import pytest

from serving.api.call_interceptor import CallInterceptor
from serving.api.rate_limit import RateLimit
from serving.telemetry.logs import RequestLog
from serving.telemetry.metrics import Metrics

Call = namedtuple("Call", ("method", "invocation_metadata"))

CALL = Call("/penchant.v1.RecommenderService/Recommend", ())


class Context:
    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"


def call_interceptor(metrics: Metrics, at_once: int = 1) -> CallInterceptor:
    return CallInterceptor(RateLimit(0), metrics, RequestLog(enabled=False, user_ids=False), at_once)


async def handler(bounds: CallInterceptor, answer: Any) -> Any:
    async def continuation(_: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(answer, bytes)

    return (await bounds.intercept_service(continuation, CALL)).unary_unary


def test_time_in_the_queue_is_time_of_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    now, metrics = [10.0], Metrics()
    monkeypatch.setattr("serving.api.call_interceptor.perf_counter", lambda: now[0])

    async def answer(request: bytes, _context: Context) -> bytes:
        now[0] += 0.25
        return request

    async def ask() -> None:
        asked = await handler(call_interceptor(metrics), answer)
        now[0] += 3.0  # all places are taken
        assert await asked(b"asked", Context()) == b"asked"

    asyncio.run(ask())
    read = metrics.registry.get_sample_value
    assert read("penchant_stage_seconds_sum", {"stage": "waiting"}) == 3.0
    assert read("penchant_request_seconds_sum", {"method": "Recommend", "code": "OK"}) == 3.25


def test_so_many_calls_are_under_way_at_once_and_the_others_come_in_turn() -> None:
    under_way, most, order = 0, 0, list[bytes]()

    async def answer(request: bytes, _context: Context) -> bytes:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        order.append(request)
        return request

    async def ask() -> None:
        asked = await handler(call_interceptor(Metrics(), at_once=2), answer)
        await asyncio.gather(*(asked(bytes([number]), Context()) for number in range(7)))

    asyncio.run(ask())
    assert most == 2
    assert order == [bytes([number]) for number in range(7)]


def test_calls_that_their_clients_give_up_are_counted_as_cancelled_and_leave_their_places() -> None:
    metrics = Metrics()

    async def hang(_request: bytes, _context: Context) -> bytes:
        await asyncio.sleep(60)
        return b""

    async def answer(request: bytes, _context: Context) -> bytes:
        return request

    async def ask() -> None:
        bounds = call_interceptor(metrics)
        asked = await handler(bounds, hang)
        given_up = [asyncio.ensure_future(asked(b"asked", Context())) for _ in ("under way", "waiting")]
        await asyncio.sleep(0)
        for call in given_up:
            call.cancel()
        assert await (await handler(bounds, answer))(b"next", Context()) == b"next"

    asyncio.run(ask())
    count = metrics.registry.get_sample_value
    assert count("penchant_request_seconds_count", {"method": "Recommend", "code": "CANCELLED"}) == 2
    assert count("penchant_request_seconds_count", {"method": "Recommend", "code": "OK"}) == 1
