"""Traces: one span a request, one below it a stage, in the client's own trace; nothing when off."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc

from serving.protos import recommender_pb2 as pb
from serving.protos.recommender_pb2_grpc import RecommenderServiceStub
from tests.serving.service import running, until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def spans(file: Path) -> list[dict[str, Any]]:
    whole = file.read_text().rpartition("\n")[0]  # the last line may be half written
    return [json.loads(line) for line in whole.splitlines()]


def of_client(file: Path) -> list[dict[str, Any]]:
    return [span for span in spans(file) if span["context"]["trace_id"] == f"0x{TRACE}"]


def test_each_stage_is_a_span_below_its_request_in_the_trace_of_the_client(tmp_path: Path) -> None:
    file = tmp_path / "traces" / "spans.jsonl"
    with running(tmp_path, trace_file=file) as service:
        service.model.down = True
        with grpc.insecure_channel(service.address) as channel:
            stub = RecommenderServiceStub(channel)  # type: ignore[no-untyped-call]
            request = pb.RecommendRequest(user_id="secret-user", request_id="mine")
            request.history.add(item_id="comedy-1")
            stub.Recommend(request, metadata=[("traceparent", f"00-{TRACE}-{PARENT}-01")], timeout=5)
    until(lambda: "Recommend" in {span["name"] for span in of_client(file)})  # it is closed aside
    own = of_client(file)
    (root,) = (span for span in own if span["name"] == "Recommend")
    stages = [span for span in own if span is not root]
    assert [span["name"] for span in stages] == [
        "request",
        "history",
        "interest",
        "retrieval",
        "rules",
        "reranking",
        "reasons",
        "answer",
    ]
    assert {span["parent_id"] for span in stages} == {root["context"]["span_id"]}
    assert root["parent_id"] == f"0x{PARENT}"
    assert root["kind"] == "SpanKind.SERVER"
    attributes = root["attributes"]
    assert attributes["penchant.request_id"] == "mine"
    assert attributes["penchant.basis"] == "request history"
    assert attributes["penchant.release"] == 1
    (event,) = root["events"]
    assert event["attributes"]["stage"] == "interest"
    assert "secret-user" not in file.read_text()


def test_only_the_share_that_is_asked_for_is_traced(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    with running(tmp_path, trace_file=file, trace_share=0.0) as service:
        service.client.recommend("u")
    assert spans(file) == []


def test_without_a_file_opentelemetry_is_not_even_loaded() -> None:
    command = "import sys, serving.server; print([name for name in sys.modules if 'opentelemetry' in name])"
    loaded = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    ).stdout
    assert loaded.strip() == "[]"
