"""OpenTelemetry traces: a span for each request, one below it for each stage, sent over OTLP or to a file."""

import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from serving.answers import Answer
from serving.telemetry.logs import OncePerSecond

_SERVICE: Final = "penchant-recommender"

# A collector that is away is tried again with the next spans; those that it did not take are lost.
_EXPORT_WITHIN_S: Final = 3.0


class Tracing:
    """Hands spans on from a thread of its own; a client's `traceparent` joins them to its trace."""

    def __init__(self, file: Path | None = None, collector: str = "", share: float = 1.0) -> None:
        """`share` of the requests is traced, and each whose client traces it.

        Args:
            file: takes spans as JSON lines.
            collector: takes them over OTLP/gRPC, http://host:port or https://host:port; headers and
                certificates come from OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_HEADERS, …).

        Raises:
            OSError: the file can't be written.
        """
        identity = {"service.name": _SERVICE, "service.instance.id": f"{socket.gethostname()}-{os.getpid()}"}
        # It also shuts down, and so hands on what it holds, where a process ends without closing it.
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(share)), resource=Resource.create(identity)
        )
        self._closing = ExitStack()
        if file:
            self._provider.add_span_processor(BatchSpanProcessor(self._lines(file)))
        if collector:
            self._provider.add_span_processor(BatchSpanProcessor(_over_otlp(collector)))
        self._tracer = self._provider.get_tracer(__name__)
        self._propagator = TraceContextTextMapPropagator()

    def _lines(self, file: Path) -> SpanExporter:
        file.parent.mkdir(parents=True, exist_ok=True)
        opened = self._closing.enter_context(file.open("a", encoding="utf-8"))
        return ConsoleSpanExporter(out=opened, formatter=_line)

    @contextmanager
    def request(self, method: str, request_id: str, metadata: Mapping[str, str]) -> Iterator[None]:
        """The span of one call; what it raises is written down in the span, and raised."""
        about = {"rpc.system": "grpc", "rpc.method": method, "penchant.request_id": request_id}
        parent = self._propagator.extract(metadata)
        kind = trace.SpanKind.SERVER
        with self._tracer.start_as_current_span(method, parent, kind, attributes=about):
            yield

    @contextmanager
    def stage(self, name: str, timed: AbstractContextManager[Any]) -> Iterator[None]:
        """The span of one stage, around whatever times it."""
        with self._tracer.start_as_current_span(name), timed:
            yield

    def describe(self, answer: Answer) -> None:
        """What the request's span tells of its answer."""
        span = trace.get_current_span()
        span.set_attribute("penchant.release", answer.release_version)
        span.set_attribute("penchant.basis", answer.basis)
        span.set_attribute("penchant.items", len(answer.recommendations))
        for cut in answer.degraded:
            span.add_event("degraded", {"stage": cut.stage, "reason": cut.reason, "fallback": cut.fallback})

    def close(self) -> None:
        """Hand on what is still in memory."""
        self._provider.shutdown()
        self._closing.close()


def _over_otlp(collector: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    logging.getLogger(OTLPSpanExporter.__module__.rpartition(".")[0]).addFilter(OncePerSecond())
    return OTLPSpanExporter(endpoint=collector, timeout=_EXPORT_WITHIN_S)


def _line(span: ReadableSpan) -> str:
    return f"{span.to_json(indent=None)}\n"
