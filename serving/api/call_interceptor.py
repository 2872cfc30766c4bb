"""What becomes of an error: the one place where exceptions turn into gRPC statuses."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import TYPE_CHECKING, Any

import grpc.aio
from google.protobuf.message import DecodeError

from serving.api.rate_limit import RateLimit
from serving.errors import InvalidRequest, PenchantError
from serving.telemetry import logs
from serving.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from serving.telemetry.tracing import Tracing

logger = logging.getLogger(__name__)


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Times, traces and logs each call of the service, and answers whatever it raises with a status.

    So many calls are under way at once that the threads of each part behind them suffice; more wait here.
    """

    def __init__(
        self,
        rate_limit: RateLimit,
        metrics: Metrics,
        request_log: logs.RequestLog,
        at_once: int,
        tracing: "Tracing | None" = None,
    ) -> None:
        self._rate_limit, self._metrics = rate_limit, metrics
        self._request_log, self._tracing = request_log, tracing
        self._places = asyncio.Semaphore(at_once)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler, method = await continuation(handler_call_details), handler_call_details.method
        if handler is None or not method.startswith("/penchant."):
            return handler
        name, arrived = method.rsplit("/", 1)[-1], perf_counter()

        async def bounded(body: bytes, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            code, details, request, answer = grpc.StatusCode.OK, "", None, None
            logs.request_id.set(uuid.uuid4().hex)
            try:
                async with self._places:
                    request = _parsed(body, handler.request_deserializer, name)
                    self._rate_limit.take(context.peer())
                    self._metrics.waited(perf_counter() - arrived)
                    with self._span(name, handler_call_details):
                        answer = await handler.unary_unary(request, context)
            except asyncio.CancelledError:  # the client waits no longer
                code = grpc.StatusCode.CANCELLED
                raise
            except PenchantError as error:
                code, details = error.status, str(error)
            except Exception:
                code, details = grpc.StatusCode.INTERNAL, _leave_trace(method)
            finally:
                seconds = perf_counter() - arrived  # what it waited for a place is part of it
                self._metrics.requests.add((name, code.name), seconds)
                self._request_log.add(name, code.name, seconds, request)
            if code is not grpc.StatusCode.OK:
                await context.abort(code, details)
            return answer

        # Bytes as they came: what gRPC can't parse it would answer with a traceback in the log, uncounted.
        return grpc.unary_unary_rpc_method_handler(bounded, None, handler.response_serializer)

    def _span(self, method: str, details: grpc.HandlerCallDetails) -> AbstractContextManager[None]:
        if self._tracing is None:
            return nullcontext()
        metadata = {key: value for key, value in details.invocation_metadata if isinstance(value, str)}
        return self._tracing.request(method, logs.request_id.get(), metadata)


def _parsed(body: bytes, parse: Callable[[bytes], Any], method: str) -> Any:
    """The request of a method, under the id that it brings, if any.

    Raises:
        InvalidRequest: these are other bytes.
    """
    try:
        request = parse(body)
    except DecodeError as error:
        raise InvalidRequest(
            f"{method}: expected a {method}Request of recommender.proto, got {len(body)} bytes that are none"
        ) from error
    if given := getattr(request, "request_id", ""):
        logs.request_id.set(given[: logs.MAX_LENGTH])
    return request


def _leave_trace(method: str) -> str:
    """Log the traceback; what the client is told leads to it and says nothing else."""
    request_id = logs.request_id.get()
    logger.exception("%s failed, request id %r", method, request_id)
    return f"the service failed; its log has the cause under request id {request_id}"
