"""Traces: a span for each request with a child span for each stage, in the trace of the client."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from serving.protos import recommender_pb2 as pb
from serving.protos.recommender_pb2_grpc import RecommenderServiceStub
from tests.patience import HANG_S, wait_until
from tests.serving.service import running

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def spans(file: Path) -> list[dict[str, Any]]:
    complete = file.read_text().rpartition("\n")[0]  # the last line may be incomplete
    return [json.loads(line) for line in complete.splitlines()]


def client_spans(file: Path) -> list[dict[str, Any]]:
    return [span for span in spans(file) if span["context"]["trace_id"] == f"0x{TRACE}"]


def test_stages_are_child_spans_of_the_request_in_the_trace_of_the_client(tmp_path: Path) -> None:
    file = tmp_path / "traces" / "spans.jsonl"
    with running(tmp_path, trace_file=file) as service:
        service.model.down = True
        with grpc.insecure_channel(service.address) as channel:
            stub = RecommenderServiceStub(channel)  # type: ignore[no-untyped-call]
            request = pb.RecommendRequest(user_id="secret-user", request_id="mine")
            request.history.add(item_id="comedy-1")
            stub.Recommend(request, metadata=[("traceparent", f"00-{TRACE}-{PARENT}-01")], timeout=HANG_S)
    wait_until(lambda: "Recommend" in {span["name"] for span in client_spans(file)})
    own = client_spans(file)
    (root,) = (span for span in own if span["name"] == "Recommend")
    stages = [span for span in own if span is not root]
    assert [span["name"] for span in stages] == [
        "request",
        "history",
        "interest",
        "retrieval",
        "rules",
        "reranking",
        "explanations",
        "answer",
    ]
    assert {span["parent_id"] for span in stages} == {root["context"]["span_id"]}
    assert root["parent_id"] == f"0x{PARENT}"
    assert root["kind"] == "SpanKind.SERVER"
    attributes = root["attributes"]
    assert attributes["penchant.request_id"] == "mine"
    assert attributes["penchant.basis"] == "request_history"
    assert attributes["penchant.release"] == 1
    (event,) = root["events"]
    assert event["attributes"]["stage"] == "interest"
    assert "secret-user" not in file.read_text()


def test_trace_share_zero_traces_nothing(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    with running(tmp_path, trace_file=file, trace_share=0.0) as service:
        service.client.recommend("u")
    assert spans(file) == []


class Collector(TraceServiceServicer):
    """Stores received spans with the name of their service."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []

    def Export(self, request: Any, context: Any) -> ExportTraceServiceResponse:  # noqa: N802
        for resource in request.resource_spans:
            attributes = {item.key: item.value.string_value for item in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(attributes["service.name"], span) for span in scope.spans]
        return ExportTraceServiceResponse()


def test_spans_are_exported_to_a_collector_over_otlp(tmp_path: Path) -> None:
    collector, server = Collector(), grpc.server(ThreadPoolExecutor(2))
    add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with running(tmp_path, traces=f"http://127.0.0.1:{port}") as service:
        service.client.recommend("u", request_id="mine")
    wait_until(lambda: any(_request_id(span) == "mine" for _, span in collector.spans))
    (root,) = (span for _, span in collector.spans if _request_id(span) == "mine")
    children = [span.name for _, span in collector.spans if span.parent_span_id == root.span_id]
    assert {"history", "retrieval", "answer"} <= set(children)
    assert {name for name, _ in collector.spans} == {"penchant-recommender"}
    server.stop(None).wait()


def _request_id(span: Span) -> str:
    return next(
        (item.value.string_value for item in span.attributes if item.key == "penchant.request_id"), ""
    )


def test_calls_succeed_when_the_collector_is_unreachable(tmp_path: Path) -> None:
    with running(tmp_path, traces="http://127.0.0.1:1") as service:
        assert service.client.recommend("u").recommendations


def test_opentelemetry_is_not_imported_without_tracing() -> None:
    command = (
        "import sys, serving.server.__main__\n"
        "print([name for name in sys.modules if 'opentelemetry' in name])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    ).stdout
    assert loaded.strip() == "[]"
