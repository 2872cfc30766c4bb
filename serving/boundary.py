"""What becomes of an error: the one place where exceptions turn into gRPC statuses."""

import logging
import uuid
from collections.abc import Callable
from time import perf_counter
from typing import Any

import grpc

from serving.errors import PenchantError
from serving.metrics import Metrics
from serving.rate_limit import RateLimit

logger = logging.getLogger(__name__)


class Boundary(grpc.ServerInterceptor):
    """Times each call of the service, and answers whatever it raises with a status."""

    def __init__(self, rate_limit: RateLimit, metrics: Metrics) -> None:
        self._rate_limit, self._metrics = rate_limit, metrics

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Any],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler, method = continuation(handler_call_details), handler_call_details.method
        if handler is None or not method.startswith("/penchant."):
            return handler

        def bounded(request: Any, context: grpc.ServicerContext) -> Any:
            start, code = perf_counter(), grpc.StatusCode.OK
            try:
                self._rate_limit.take(context.peer())
                return handler.unary_unary(request, context)
            except PenchantError as error:
                code = error.status
                context.abort(code, str(error))
            except Exception:
                code = grpc.StatusCode.INTERNAL
                context.abort(code, _leave_trace(method, request))
            finally:
                seconds = perf_counter() - start
                self._metrics.requests.labels(method.rsplit("/", 1)[-1], code.name).observe(seconds)

        return grpc.unary_unary_rpc_method_handler(
            bounded, handler.request_deserializer, handler.response_serializer
        )


def _leave_trace(method: str, request: Any) -> str:
    """Log the traceback; what the client is told leads to it and says nothing else."""
    request_id = getattr(request, "request_id", "") or uuid.uuid4().hex
    logger.exception("%s failed, request id %r", method, request_id)
    return f"the service failed; its log has the cause under request id {request_id}"
