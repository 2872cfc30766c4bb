"""Admission, metrics, logging and error handling of each gRPC call."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import grpc.aio

from feature_repo.printable_text import masked
from serving.api import authorization
from serving.api.admission import Admission
from serving.api.concurrency_limit import ConcurrencyLimit
from serving.api.library_calls import LibraryCalls
from serving.api.message_waits import MessageWaits
from serving.api.refusals import Refusals
from serving.api.request_parsing import parsed
from serving.api.stream_limit import StreamLimit
from serving.api.user_ids import UserIds
from serving.errors import PenchantError
from serving.ordered_id import ordered_id
from serving.telemetry import logs
from serving.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from serving.telemetry.tracing import Tracing

logger = logging.getLogger(__name__)

_SERVICE_PREFIX: Final = "/penchant."
_RECORD: Final = "RecordInteractions"


@dataclass(frozen=True)
class Limits:
    """The limits that calls meet, in this order; a call meets one of the last three."""

    admission: Admission
    message_waits: MessageWaits
    streams: StreamLimit
    answers: ConcurrencyLimit
    recordings: ConcurrencyLimit


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Admits, times, traces and logs each call of the service; converts exceptions to gRPC statuses.

    A call is admitted by its address and token before its message is read, so that a client that sends no
    message takes nothing from others. A refused call is counted and logged like an answered one, and takes no
    slot. Calls of other services (health, reflection) have limits of their own. Behind the interceptor, a
    request has pseudonyms in place of user ids, if there is a key.

    Recordings have slots of their own: while they wait for a lock of the interaction log, answers go on.
    """

    def __init__(
        self,
        limits: Limits,
        metrics: Metrics,
        request_log: logs.RequestLog,
        user_ids: UserIds,
        tracing: "Tracing | None" = None,
    ) -> None:
        self._limits, self._refusals, self._user_ids = limits, Refusals(metrics), user_ids
        self._library_calls = LibraryCalls(
            limits.admission, limits.message_waits, limits.streams, self._refusals
        )
        self._metrics, self._request_log, self._tracing = metrics, request_log, tracing

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        method, metadata = handler_call_details.method, dict(handler_call_details.invocation_metadata)
        handler = await continuation(handler_call_details)
        if handler is None or not method.startswith(_SERVICE_PREFIX):
            return self._library_calls.wrapped(handler, method, metadata)
        # A handler of a stream can refuse the call before its message comes. It receives bytes: gRPC would
        # log a traceback for a message that it can't parse, uncounted.
        return grpc.stream_unary_rpc_method_handler(
            self._behavior(handler, method, metadata), None, handler.response_serializer
        )

    def _behavior(
        self, handler: Any, method: str, metadata: Mapping[str, str | bytes]
    ) -> Callable[[Any, Any], Awaitable[Any]]:
        name, arrived = method.rsplit("/", 1)[-1], perf_counter()
        limit = self._limits.recordings if name == _RECORD else self._limits.answers

        async def call(_messages: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            code, details, request, answer = grpc.StatusCode.OK, "", None, None
            logs.request_id.set(ordered_id())
            peer = context.peer()
            try:
                scopes = self._limits.admission.check(method, metadata, peer)
                authorization.scopes.set(scopes)
                body = await self._limits.message_waits.read(context, peer)
                await limit.acquire("admin" in scopes)
                try:
                    message = parsed(body, handler.request_deserializer, name)
                    request = self._user_ids.replace(message)
                    _use_request_id(request)
                    self._metrics.observe_queue(perf_counter() - arrived)
                    with self._span(name, metadata):
                        answer = await handler.unary_unary(request, context)
                finally:
                    limit.release()
            except asyncio.CancelledError:  # the client cancelled the call, or its deadline passed
                code = grpc.StatusCode.CANCELLED
                raise
            except PenchantError as error:
                code, details = grpc.StatusCode[error.status], str(error)
                self._refusals.add(name, peer, error)
            except Exception:
                code, details = grpc.StatusCode.INTERNAL, _log_failure(method)
            finally:
                seconds = perf_counter() - arrived  # includes the time spent waiting for a slot
                self._metrics.observe_request(name, code.name, seconds)
                self._request_log.add(name, code.name, seconds, request)
            if code is not grpc.StatusCode.OK:
                await context.abort(code, masked(details))
            return answer

        return call

    def _span(self, method: str, metadata: Mapping[str, str | bytes]) -> AbstractContextManager[None]:
        if self._tracing is None:
            return nullcontext()
        texts = {key: value for key, value in metadata.items() if isinstance(value, str)}
        return self._tracing.request(method, logs.request_id.get(), texts)


def _use_request_id(request: Any) -> None:
    """Use the client's request id, if any, for the log."""
    if request_id := getattr(request, "request_id", ""):
        logs.request_id.set(request_id[: logs.MAX_LENGTH])


def _log_failure(method: str) -> str:
    """Log the traceback, and return the message for the client, which reveals nothing but the request id."""
    request_id = logs.request_id.get()
    logger.exception("%s failed, request id %r", method, request_id)
    return f"internal error; the cause is in the service's log under request id {request_id}"
