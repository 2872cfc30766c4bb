"""OpenTelemetry traces: a span for each request, one below it for each stage, written as JSON lines."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from serving.answers import Answer

_SERVICE: Final = "penchant-recommender"


class Tracing:
    """Writes spans to a file from a thread of its own; a client's `traceparent` joins them to its trace."""

    def __init__(self, file: Path, share: float = 1.0) -> None:
        """`share` of the requests is traced, and each whose client traces it.

        Raises:
            OSError: the file can't be written.
        """
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file.open("a", encoding="utf-8")
        resource = Resource.create({"service.name": _SERVICE})
        # It also shuts down, and so writes, where a process ends without closing it.
        self._provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(share)), resource=resource)
        exporter = ConsoleSpanExporter(out=self._file, formatter=_line)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(__name__)
        self._propagator = TraceContextTextMapPropagator()

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
        """Write what is still in memory."""
        self._provider.shutdown()
        self._file.close()


def _line(span: ReadableSpan) -> str:
    return f"{span.to_json(indent=None)}\n"
