"""Admission, metrics, logging and error handling of each gRPC call."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NoReturn

import grpc.aio
from google.protobuf.message import DecodeError

from serving.api.authorization import Authorizer
from serving.api.concurrency_limit import ConcurrencyLimit
from serving.api.rate_limit import RateLimit
from serving.errors import InvalidRequest, PenchantError
from serving.telemetry import logs
from serving.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from serving.telemetry.tracing import Tracing

logger = logging.getLogger(__name__)

_SERVICE_PREFIX: Final = "/penchant."
_RECORD: Final = "RecordInteractions"


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Admits, times, traces and logs each call of the service; converts exceptions to gRPC statuses.

    A call passes the rate limit, then authorization, then the concurrency limit. A refused call is counted
    and logged like an answered one, and takes no slot. Calls of other services (health, reflection) and of
    unknown methods are only authorized.

    Recordings have slots of their own: while they wait for a lock of the interaction log, answers go on.
    """

    def __init__(
        self,
        rate_limit: RateLimit,
        authorizer: Authorizer,
        concurrency_limit: ConcurrencyLimit,
        recordings: ConcurrencyLimit,
        metrics: Metrics,
        request_log: logs.RequestLog,
        tracing: "Tracing | None" = None,
    ) -> None:
        self._rate_limit, self._authorizer = rate_limit, authorizer
        self._concurrency_limit, self._recordings = concurrency_limit, recordings
        self._metrics, self._request_log, self._tracing = metrics, request_log, tracing

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        method, metadata = handler_call_details.method, dict(handler_call_details.invocation_metadata)
        handler = await continuation(handler_call_details)
        if handler is None or not method.startswith(_SERVICE_PREFIX):
            try:
                self._authorizer.check(method, metadata)
            except PenchantError as error:
                return _refusing_handler(error)
            return handler
        # The handler receives bytes: gRPC would log a traceback for a message that it can't parse, uncounted.
        return grpc.unary_unary_rpc_method_handler(
            self._behavior(handler, method, metadata), None, handler.response_serializer
        )

    def _behavior(
        self, handler: Any, method: str, metadata: Mapping[str, str | bytes]
    ) -> Callable[[bytes, Any], Awaitable[Any]]:
        name, arrived = method.rsplit("/", 1)[-1], perf_counter()
        limit = self._recordings if name == _RECORD else self._concurrency_limit

        async def call(body: bytes, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            code, details, request, answer = grpc.StatusCode.OK, "", None, None
            logs.request_id.set(uuid.uuid4().hex)
            try:
                self._rate_limit.take(context.peer())
                self._authorizer.check(method, metadata)
                async with limit:
                    request = _parsed(body, handler.request_deserializer, name)
                    self._metrics.observe_queue(perf_counter() - arrived)
                    with self._span(name, metadata):
                        answer = await handler.unary_unary(request, context)
            except asyncio.CancelledError:  # the client cancelled the call, or its deadline passed
                code = grpc.StatusCode.CANCELLED
                raise
            except PenchantError as error:
                code, details = error.status, str(error)
            except Exception:
                code, details = grpc.StatusCode.INTERNAL, _log_failure(method)
            finally:
                seconds = perf_counter() - arrived  # includes the time spent waiting for a slot
                self._metrics.observe_request(name, code.name, seconds)
                self._request_log.add(name, code.name, seconds, request)
            if code is not grpc.StatusCode.OK:
                await context.abort(code, details)
            return answer

        return call

    def _span(self, method: str, metadata: Mapping[str, str | bytes]) -> AbstractContextManager[None]:
        if self._tracing is None:
            return nullcontext()
        texts = {key: value for key, value in metadata.items() if isinstance(value, str)}
        return self._tracing.request(method, logs.request_id.get(), texts)


def _parsed(body: bytes, parse: Callable[[bytes], Any], method: str) -> Any:
    """Parse a request, and use its request id, if any, for the log.

    Raises:
        InvalidRequest: the bytes are not such a message.
    """
    try:
        request = parse(body)
    except DecodeError as error:
        raise InvalidRequest(
            f"{method}: expected a {method}Request of recommender.proto, "
            f"got {len(body)} bytes that are not one; use stubs generated from that file"
        ) from error
    if request_id := getattr(request, "request_id", ""):
        logs.request_id.set(request_id[: logs.MAX_LENGTH])
    return request


def _log_failure(method: str) -> str:
    """Log the traceback, and return the message for the client, which reveals nothing but the request id."""
    request_id = logs.request_id.get()
    logger.exception("%s failed, request id %r", method, request_id)
    return f"internal error; the cause is in the service's log under request id {request_id}"


def _refusing_handler(error: PenchantError) -> "grpc.RpcMethodHandler[Any, Any]":
    async def refuse(_request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> NoReturn:
        await context.abort(error.status, str(error))

    return grpc.unary_unary_rpc_method_handler(refuse)
