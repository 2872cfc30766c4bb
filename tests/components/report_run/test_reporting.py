"""The end of a run is told to all receivers; one that is down is named, and fails nothing."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from components.report_run.component import report_run
from components.report_run.receivers import Receivers
from components.report_run.reporting import report_end
from components.run_facts import read_facts, write_facts
from components.run_record import RunRecord, timestamp
from tests.webhook_receiver import Receiver, receiver

JOB = "job-1"


@pytest.fixture(scope="module")
def hook() -> Iterator[Receiver]:
    with receiver() as server:
        yield server


@pytest.fixture
def facts(tmp_path: Path) -> str:
    return str(tmp_path / "facts")


def report(receivers: Receivers, hook: Receiver | None = None, state: str = "SUCCEEDED") -> Any:
    """Report the end of a training; return the last message."""
    report_end("training", JOB, asdict(receivers), state, "")
    return hook.messages[-1] if hook else None


def test_a_success_is_told_with_what_the_steps_left(hook: Receiver, facts: str) -> None:
    write_facts(facts, JOB, "ingest", rows=2000)
    write_facts(facts, JOB, "register", version=7, verdict="better")
    write_facts(facts, JOB, "push", version=7, live=True)
    write_facts(facts, "another-job", "ingest", rows=1)

    link = "https://kubeflow.example.com/runs/{run}"
    message = report(Receivers(webhook=hook.url, facts=facts, link=link), hook)

    page = f"https://kubeflow.example.com/runs/{JOB}"
    assert message.pop("text") == (
        f"training run {JOB} succeeded, 2,000 rows, better, version 7 is live\n{page}"
    )
    assert message == {
        "run": JOB, "pipeline": "training", "status": "succeeded", "failed_step": "", "error": "",
        "duration_s": None, "rows": 2000, "verdict": "better", "version": 7, "live": True, "report": page,
    }  # fmt: skip


def test_a_failed_local_run_is_told_with_its_step_error_and_folder(
    hook: Receiver, facts: str, tmp_path: Path
) -> None:
    record = RunRecord("20261128-030000", "training", timestamp(), "ada", {})
    record.failed_step, record.error = (
        "Validate interactions",
        "12 % of the rows failed: expected at most 5 %",
    )
    record.write(tmp_path)
    page = tmp_path / "steps" / "penchant-training-1" / "evaluate-release" / "report.html"
    page.parent.mkdir(parents=True)
    page.touch()

    message = report(Receivers(webhook=hook.url, facts=facts, record=str(tmp_path)), hook, "FAILED")

    assert message["text"].splitlines()[1:] == [record.error, f"{tmp_path}/report.html"]
    assert message["run"] == record.run
    assert (message["status"], message["failed_step"]) == ("failed", "Validate interactions")
    assert 0 <= message["duration_s"] < 600


def test_receivers_that_are_down_are_named_and_fail_nothing(
    facts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.report_run.webhook.time.sleep", lambda _: None)
    dead, missing = "http://127.0.0.1:1", str(tmp_path / "missing")
    report_end(
        "training", JOB, asdict(Receivers(f"{dead}/secret", "", dead, missing, facts=facts)), "SUCCEEDED", ""
    )

    undelivered = read_facts(facts, JOB)["undelivered"]
    assert [line.partition(":")[0] for line in undelivered] == ["webhook", "Pushgateway", "textfile"]
    output = capsys.readouterr().out
    assert all(f"» not delivered: {line}" in output for line in undelivered)
    assert "secret" not in output


def test_a_schedule_that_was_not_due_is_not_told(hook: Receiver, facts: str) -> None:
    write_facts(facts, JOB, "check_schedule", not_due=True)
    before = len(hook.bodies)
    report(Receivers(webhook=hook.url, facts=facts))
    assert len(hook.bodies) == before


@pytest.mark.parametrize(
    ("state", "status"),
    [("SUCCEEDED", "succeeded"), ("COMPLETE", "succeeded"), ("CANCELLED", "canceled"), ("FAILED", "failed")],
)
def test_the_component_passes_the_state_of_the_pipeline(
    hook: Receiver, facts: str, state: str, status: str
) -> None:
    from kfp.dsl import PipelineTaskFinalStatus

    final = PipelineTaskFinalStatus(state, "run", "exit-handler-1", None, None)
    report_run.python_func(
        pipeline="promotion", job_id=JOB, report=asdict(Receivers(hook.url, facts=facts)), status=final
    )
    assert (hook.messages[-1]["status"], hook.messages[-1]["pipeline"]) == (status, "promotion")


class Kubeflow(BaseHTTPRequestHandler):
    """Answers with a run whose training was too long, and whose groups failed with it."""

    def do_GET(self) -> None:
        ended = datetime.now(UTC)
        names = [
            "root",
            "exit-handler-1",
            "train-interest-model-driver",
            "train-interest-model",
            "push-release",
        ]
        run = {
            "run_id": JOB,
            "created_at": (ended - timedelta(minutes=5)).isoformat(),
            "run_details": {
                "task_details": [
                    {
                        "display_name": name,
                        "state": "FAILED",
                        "end_time": (ended + timedelta(seconds=number)).isoformat(),
                        "error": {"code": 2, "message": "DeadlineExceeded"},
                    }
                    for number, name in enumerate(names)
                ]
            },
        }
        body = json.dumps(run).encode() if self.headers["authorization"] == "Bearer token" else b"{}"
        self.send_response(200 if body != b"{}" else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def kubeflow() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Kubeflow)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_kubeflow_is_asked_which_step_failed(
    hook: Receiver, facts: str, kubeflow: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("token\n")
    receivers = Receivers(
        hook.url, facts=facts, kubeflow=kubeflow, kubeflow_token_file=str(tmp_path / "token")
    )

    message = report(receivers, hook, "FAILED")

    assert message["failed_step"] == "train-interest-model"
    assert message["error"] == "DeadlineExceeded: it took longer than PENCHANT_TRAINING_TIMEOUT_S"
    assert 299 < message["duration_s"] < 900


def test_a_step_that_failed_before_its_retry_is_not_told(
    hook: Receiver, facts: str, kubeflow: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("token")
    receivers = Receivers(
        hook.url, facts=facts, kubeflow=kubeflow, kubeflow_token_file=str(tmp_path / "token")
    )

    message = report(receivers, hook, "COMPLETE")

    assert (message["status"], message["failed_step"], message["error"]) == ("succeeded", "", "")
    assert message["duration_s"] > 299


def test_a_kubeflow_that_refuses_leaves_the_step_open(
    hook: Receiver, facts: str, kubeflow: str, capsys: pytest.CaptureFixture[str]
) -> None:
    message = report(Receivers(hook.url, facts=facts, kubeflow=kubeflow), hook, "FAILED")

    assert (message["status"], message["failed_step"]) == ("failed", "")
    assert f"» Kubeflow at {kubeflow} does not say which step failed" in capsys.readouterr().out
