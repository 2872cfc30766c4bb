"""Admission of calls: the order of rate limit, authorization and slots, and the count of each outcome."""

import asyncio
from collections import namedtuple
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc
import pytest

from serving.api.admission import Admission
from serving.api.authorization import Authorizer
from serving.api.call_interceptor import CallInterceptor, Limits
from serving.api.concurrency_limit import ConcurrencyLimit
from serving.api.message_waits import MessageWaits
from serving.api.rate_limit import RateLimit
from serving.api.stream_limit import StreamLimit
from serving.api.user_ids import UserIds
from serving.api.validation import RequestLimits
from serving.telemetry.logs import RequestLog
from serving.telemetry.metrics import Metrics
from tests.patience import HANG_S

HandlerCallDetails = namedtuple("HandlerCallDetails", ("method", "invocation_metadata"))

RECOMMEND = "/penchant.v1.RecommenderService/Recommend"
TOKEN = "a-token-of-some-length"

Behavior = Callable[[bytes, Any], Awaitable[bytes]]


class Context:
    """The part of a gRPC context that the interceptor uses; `abort` records the status and raises.

    `read` returns `message`, once: the second read of a call without another message would wait for ever.
    """

    def __init__(self) -> None:
        self.code: grpc.StatusCode | None = None
        self.message: bytes | None = None

    async def read(self) -> bytes:
        if (message := self.message) is None:
            await asyncio.Event().wait()
            raise AssertionError
        self.message = None
        return message

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    async def abort(self, code: grpc.StatusCode, _details: str) -> NoReturn:
        self.code = code
        raise ConnectionAbortedError


def create_interceptor(
    metrics: Metrics,
    max_in_flight: int = 1,
    max_concurrent_requests: int = 100,
    requests_per_second: float = 0,
    token: str = "",
    log: bool = False,
) -> CallInterceptor:
    limits = Limits(
        Admission(RateLimit(requests_per_second), Authorizer({"admin": [token]} if token else {})),
        MessageWaits(max_waiting=100, timeout_s=HANG_S),
        StreamLimit(max_streams=100),
        ConcurrencyLimit(max_in_flight, max_concurrent_requests),
        ConcurrencyLimit(max_in_flight, max_concurrent_requests),
    )
    return CallInterceptor(
        limits, metrics, RequestLog(enabled=log, user_ids=False), UserIds(None, RequestLimits())
    )


async def intercepted(interceptor: CallInterceptor, behavior: Behavior, token: str = "") -> Behavior:
    """Return `behavior` behind the interceptor, for a call of Recommend with `token`."""

    async def continuation(_: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(behavior, bytes)

    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    call: Any = HandlerCallDetails(RECOMMEND, metadata)
    handler = await interceptor.intercept_service(continuation, call)

    async def wrapped(request: bytes, context: Context) -> bytes:
        context.message = request
        answer: bytes = await handler.stream_unary(None, context)
        return answer

    return wrapped


async def echo(request: bytes, _context: Context) -> bytes:
    return request


async def hang(_request: bytes, _context: Context) -> bytes:
    await asyncio.Event().wait()
    raise AssertionError


async def refused(call: Behavior) -> grpc.StatusCode | None:
    """Return the status of a call that must be refused without waiting for a slot."""
    context = Context()
    with pytest.raises(ConnectionAbortedError):
        await asyncio.wait_for(call(b"request", context), 20)
    return context.code


def count(metrics: Metrics, code: str) -> float | None:
    labels = {"method": "Recommend", "code": code}
    return metrics.registry.get_sample_value("penchant_request_duration_seconds_count", labels)


def test_the_wait_for_a_slot_is_part_of_the_request_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, metrics = [10.0], Metrics()
    monkeypatch.setattr("serving.api.call_interceptor.perf_counter", lambda: now[0])

    async def answer(request: bytes, _context: Context) -> bytes:
        now[0] += 0.25
        return request

    async def scenario() -> None:
        call = await intercepted(create_interceptor(metrics), answer)
        now[0] += 3.0
        assert await call(b"request", Context()) == b"request"

    asyncio.run(scenario())
    read = metrics.registry.get_sample_value
    assert read("penchant_stage_duration_seconds_sum", {"stage": "queue"}) == 3.0
    assert read("penchant_request_duration_seconds_sum", {"method": "Recommend", "code": "OK"}) == 3.25


def test_at_most_max_in_flight_calls_run_and_the_others_follow_in_order() -> None:
    running, most_running, order = 0, 0, list[bytes]()

    async def answer(request: bytes, _context: Context) -> bytes:
        nonlocal running, most_running
        running += 1
        most_running = max(most_running, running)
        await asyncio.sleep(0.001)
        running -= 1
        order.append(request)
        return request

    async def scenario() -> None:
        call = await intercepted(create_interceptor(Metrics(), max_in_flight=2), answer)
        await asyncio.gather(*(call(bytes([number]), Context()) for number in range(7)))

    asyncio.run(scenario())
    assert most_running == 2
    assert order == [bytes([number]) for number in range(7)]


def test_cancelled_calls_are_counted_and_free_their_slots() -> None:
    metrics = Metrics()

    async def scenario() -> None:
        interceptor = create_interceptor(metrics)
        call = await intercepted(interceptor, hang)
        cancelled = [asyncio.ensure_future(call(b"request", Context())) for _ in ("running", "waiting")]
        await asyncio.sleep(0)
        for task in cancelled:
            task.cancel()
        assert await (await intercepted(interceptor, echo))(b"next", Context()) == b"next"

    asyncio.run(scenario())
    assert (count(metrics, "CANCELLED"), count(metrics, "OK")) == (2, 1)


@pytest.mark.parametrize("token", ["", "another-token-of-some-length"])
def test_a_call_without_a_valid_token_is_counted_and_logged_and_takes_no_slot(
    token: str, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()

    async def scenario() -> None:
        interceptor = create_interceptor(metrics, max_in_flight=1, token=TOKEN, log=True)
        running = asyncio.ensure_future((await intercepted(interceptor, hang, TOKEN))(b"first", Context()))
        await asyncio.sleep(0)  # the only slot is taken now
        call = await intercepted(interceptor, echo, token)
        assert await refused(call) is grpc.StatusCode.UNAUTHENTICATED
        running.cancel()

    with caplog.at_level("INFO"):
        asyncio.run(scenario())
    assert count(metrics, "UNAUTHENTICATED") == 1
    assert "method='Recommend' code='UNAUTHENTICATED'" in caplog.text


def test_a_rate_limited_call_is_counted_and_logged_and_takes_no_slot(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()

    async def scenario() -> None:
        interceptor = create_interceptor(metrics, max_in_flight=1, requests_per_second=1, log=True)
        running = asyncio.ensure_future((await intercepted(interceptor, hang))(b"first", Context()))
        await asyncio.sleep(0)  # the only slot and the only token of the bucket are taken now
        assert await refused(await intercepted(interceptor, echo)) is grpc.StatusCode.RESOURCE_EXHAUSTED
        running.cancel()

    with caplog.at_level("INFO"):
        asyncio.run(scenario())
    assert count(metrics, "RESOURCE_EXHAUSTED") == 1
    assert "method='Recommend' code='RESOURCE_EXHAUSTED'" in caplog.text


def test_the_rate_limit_comes_before_authorization_so_that_it_also_limits_guesses_of_tokens() -> None:
    metrics = Metrics()

    async def scenario() -> None:
        interceptor = create_interceptor(metrics, requests_per_second=2, token=TOKEN)
        codes = [await refused(await intercepted(interceptor, echo, f"guess {n}")) for n in range(3)]
        assert codes[-1] is grpc.StatusCode.RESOURCE_EXHAUSTED

    asyncio.run(scenario())
    assert (count(metrics, "UNAUTHENTICATED"), count(metrics, "RESOURCE_EXHAUSTED")) == (2, 1)


def test_a_call_above_the_queue_limit_is_counted_and_logged_and_refused_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()

    async def scenario() -> None:
        interceptor = create_interceptor(metrics, max_in_flight=1, max_concurrent_requests=2, log=True)
        call = await intercepted(interceptor, hang)
        accepted = [asyncio.ensure_future(call(b"request", Context())) for _ in ("running", "waiting")]
        await asyncio.sleep(0)
        assert await refused(await intercepted(interceptor, echo)) is grpc.StatusCode.RESOURCE_EXHAUSTED
        for task in accepted:
            task.cancel()
        await asyncio.gather(*accepted, return_exceptions=True)
        assert await (await intercepted(interceptor, echo))(b"next", Context()) == b"next"

    with caplog.at_level("INFO"):
        asyncio.run(scenario())
    assert count(metrics, "RESOURCE_EXHAUSTED") == 1
    assert "method='Recommend' code='RESOURCE_EXHAUSTED'" in caplog.text


def test_refused_calls_are_counted_by_reason_and_logged_once_a_second_with_their_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()

    async def scenario() -> None:
        interceptor = create_interceptor(metrics, token=TOKEN)
        for _ in range(4):
            await refused(await intercepted(interceptor, echo, "wrong"))

    asyncio.run(scenario())
    labels = {"method": "Recommend", "reason": "unauthenticated"}
    assert metrics.registry.get_sample_value("penchant_refused_calls_total", labels) == 4
    lines = [line for line in caplog.text.splitlines() if "refused a call (unauthenticated)" in line]
    assert len(lines) <= 1
