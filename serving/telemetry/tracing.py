"""OpenTelemetry traces: a span for each request and its stages, exported over OTLP or to a file."""

import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
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

# Timeout of an export. The spans of a failed export are lost; it is not retried.
_EXPORT_TIMEOUT_S: Final = 3.0


class Tracing:
    """Exports spans in a background thread; a request with a `traceparent` continues its client's trace."""

    def __init__(self, file: Path | None = None, collector: str = "", share: float = 1.0) -> None:
        """Traces a `share` (0 to 1) of the requests, and every request that its client traces.

        Args:
            file: receives spans as JSON lines.
            collector: OTLP/gRPC endpoint, http://host:port or https://host:port. OpenTelemetry's environment
                variables (OTEL_EXPORTER_OTLP_HEADERS, …) set headers and certificates.

        Raises:
            OSError: the file can't be opened.
        """
        identity = {"service.name": _SERVICE, "service.instance.id": f"{socket.gethostname()}-{os.getpid()}"}
        # The provider also flushes its spans when the process exits without close().
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(share)), resource=Resource.create(identity)
        )
        self._files = ExitStack()
        if file:
            self._provider.add_span_processor(BatchSpanProcessor(self._file_exporter(file)))
        if collector:
            self._provider.add_span_processor(BatchSpanProcessor(_otlp_exporter(collector)))
        self._tracer = self._provider.get_tracer(__name__)
        self._propagator = TraceContextTextMapPropagator()

    def _file_exporter(self, file: Path) -> SpanExporter:
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = self._files.enter_context(file.open("a", encoding="utf-8"))
        return ConsoleSpanExporter(out=lines, formatter=_json_line)

    @contextmanager
    def request(self, method: str, request_id: str, metadata: Mapping[str, str]) -> Iterator[None]:
        """Open the span of a call; an exception is recorded in the span and raised."""
        attributes = {"rpc.system": "grpc", "rpc.method": method, "penchant.request_id": request_id}
        parent = self._propagator.extract(metadata)
        kind = trace.SpanKind.SERVER
        with self._tracer.start_as_current_span(method, parent, kind, attributes=attributes):
            yield

    @contextmanager
    def stage(self, name: str, timer: AbstractContextManager[Any]) -> Iterator[None]:
        """Open the span of a stage, and enter `timer` in it."""
        with self._tracer.start_as_current_span(name), timer:
            yield

    def describe(self, answer: Answer) -> None:
        """Add the properties of the answer to the span of the request."""
        span = trace.get_current_span()
        span.set_attribute("penchant.release", answer.release_version)
        span.set_attribute("penchant.basis", answer.basis)
        span.set_attribute("penchant.items", len(answer.recommendations))
        for degradation in answer.degraded:
            span.add_event("degraded", asdict(degradation))

    def close(self) -> None:
        """Export the remaining spans."""
        self._provider.shutdown()
        self._files.close()


def _otlp_exporter(collector: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    logging.getLogger(OTLPSpanExporter.__module__.rpartition(".")[0]).addFilter(OncePerSecond())
    return OTLPSpanExporter(endpoint=collector, timeout=_EXPORT_TIMEOUT_S)


def _json_line(span: ReadableSpan) -> str:
    return f"{span.to_json(indent=None)}\n"
