"""A server of the Kubeflow Pipelines API v2beta1 in memory, which rejects what the API does not allow.

Requests are parsed into the models of `kfp-server-api`, which Kubeflow generates from its API definition, and
answers are made of them. A field, a type or an enum value that a model lacks is refused with status 400.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import kfp_server_api as api
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

PREFIX: Final = "/apis/v2beta1/"


class Refused(Exception):
    """A call that the server refuses; `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class FakeKubeflow:
    """The state of the server.

    Attributes:
        token: the bearer token that each call needs; "" for none.
        calls: "METHOD path" of each call.
        fail_at: path fragment -> status, for calls that fail.
        answers: how many further calls get an answer; then each connection is closed. None: all.
        loses_answers: whether a call without an answer is processed nevertheless.
    """

    token: str = ""
    experiments: dict[str, Any] = field(default_factory=dict)
    recurring_runs: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, Any] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    fail_at: dict[str, int] = field(default_factory=dict)
    address: str = ""
    answers: int | None = None
    loses_answers: bool = False

    @property
    def is_gone(self) -> bool:
        """Whether this call gets no answer; counts it."""
        if self.answers is None:
            return False
        self.answers -= 1
        return self.answers < 0

    def call(self, method: str, target: str, body: bytes, authorization: str) -> Any:
        """Answer one call.

        Raises:
            Refused: the call is not allowed.
        """
        url = urlsplit(target)
        call = f"{method} {url.path.removeprefix(PREFIX)}"
        self.calls.append(call)
        if self.token and authorization != f"Bearer {self.token}":
            raise Refused(401, "Unauthenticated")
        for fragment, status in self.fail_at.items():
            if fragment in call:
                raise Refused(status, "injected failure")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        for pattern, handle in self._routes().items():
            if match := re.fullmatch(pattern, call):
                return handle(body, query, *match.groups())
        raise Refused(404, f"no such method: {call}")

    def _routes(self) -> dict[str, Any]:
        return {
            "GET healthz": lambda body, query: api.V2beta1GetHealthzResponse(multi_user=False),
            "POST experiments": self._create_experiment,
            "GET experiments": self._list_experiments,
            "POST recurringruns": self._create_recurring_run,
            "GET recurringruns": self._list_recurring_runs,
            "GET recurringruns/([^:]+)": lambda body, query, key: _find(self.recurring_runs, key),
            "DELETE recurringruns/([^:]+)": self._delete_recurring_run,
            "POST recurringruns/(.+):(enable|disable)": self._switch,
            "POST runs": self._create_run,
            "GET runs": lambda body, query: api.V2beta1ListRunsResponse(runs=[*self.runs.values()][::-1]),
            "GET runs/([^:]+)": lambda body, query, key: _find(self.runs, key),
        }

    def _create_experiment(self, body: bytes, query: dict[str, str]) -> Any:
        experiment = _parse(body, "V2beta1Experiment")
        experiment.experiment_id = str(uuid4())
        self.experiments[experiment.experiment_id] = experiment
        return experiment

    def _list_experiments(self, body: bytes, query: dict[str, str]) -> Any:
        wanted = json.loads(query["filter"])["predicates"][0]["stringValue"]
        found = [entry for entry in self.experiments.values() if entry.display_name == wanted]
        return api.V2beta1ListExperimentsResponse(experiments=found)

    def _create_recurring_run(self, body: bytes, query: dict[str, str]) -> Any:
        recurring = _parse(body, "V2beta1RecurringRun")
        _find(self.experiments, recurring.experiment_id)
        _check_pipeline(recurring.pipeline_spec, recurring.runtime_config.parameters)
        if len(recurring.trigger.cron_schedule.cron.split()) != 6:
            raise Refused(400, "cron: expected six fields")
        recurring.recurring_run_id = str(uuid4())
        recurring.status = "ENABLED" if recurring.mode == "ENABLE" else "DISABLED"
        self.recurring_runs[recurring.recurring_run_id] = recurring
        return recurring

    def _list_recurring_runs(self, body: bytes, query: dict[str, str]) -> Any:
        """Answer one entry per page, so that a client that reads one page misses most."""
        entries = [r for r in self.recurring_runs.values() if r.experiment_id == query["experiment_id"]]
        start = int(query.get("page_token") or 0)
        more = str(start + 1) if start + 1 < len(entries) else ""
        return api.V2beta1ListRecurringRunsResponse(
            recurring_runs=entries[start : start + 1], next_page_token=more, total_size=len(entries)
        )

    def _delete_recurring_run(self, body: bytes, query: dict[str, str], key: str) -> None:
        _find(self.recurring_runs, key)
        del self.recurring_runs[key]

    def _switch(self, body: bytes, query: dict[str, str], key: str, action: str) -> None:
        _find(self.recurring_runs, key).status = f"{action.upper()}D"

    def _create_run(self, body: bytes, query: dict[str, str]) -> Any:
        run = _parse(body, "V2beta1Run")
        _find(self.experiments, run.experiment_id)
        _check_pipeline(run.pipeline_spec, run.runtime_config.parameters)
        run.run_id, run.state, run.created_at = str(uuid4()), "PENDING", datetime.now(UTC)
        self.runs[run.run_id] = run
        return run


def _find(entries: dict[str, Any], key: str) -> Any:
    if key not in entries:
        raise Refused(404, f"{key} not found")
    return entries[key]


def _parse(body: bytes, model: str) -> Any:
    """Parse a request into a model; refuse what the model does not have."""
    content = json.loads(body)
    client = api.ApiClient()

    class Response:
        data = body

    try:
        parsed = client.deserialize(Response, model)
    except (ValueError, TypeError) as error:
        raise Refused(400, f"{model}: {error}") from error
    known = client.sanitize_for_serialization(parsed)
    if lost := sorted(content.keys() - known.keys()):
        raise Refused(400, f"{model}: unknown fields {', '.join(lost)}")
    return parsed


def _check_pipeline(specification: dict[str, Any], parameters: dict[str, Any]) -> None:
    """Check a pipeline with Kubeflow's schema, and that the parameters are its inputs."""
    pipeline = specification.get("pipeline_spec", specification)
    try:
        parsed = json_format.ParseDict(pipeline, pipeline_spec_pb2.PipelineSpec())
    except json_format.ParseError as error:
        raise Refused(400, f"pipeline_spec: {error}") from error
    inputs = parsed.root.input_definitions.parameters
    missing = [
        name for name, definition in inputs.items() if not definition.is_optional and name not in parameters
    ]
    if missing or (unknown := sorted(parameters.keys() - inputs.keys())):
        raise Refused(400, f"parameters: missing {missing}, unknown {unknown if not missing else []}")


@contextmanager
def fake_kubeflow(token: str = "") -> Iterator[FakeKubeflow]:
    """Serve the API on a free port of loopback."""
    kubeflow = FakeKubeflow(token)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            is_gone = kubeflow.is_gone
            if is_gone and not kubeflow.loses_answers:
                self.close_connection = True
                return
            try:
                answer = kubeflow.call(self.command, self.path, body, self.headers.get("authorization", ""))
                status, content = 200, api.ApiClient().sanitize_for_serialization(answer) or {}
            except Refused as error:
                status, content = error.status, {"code": 3, "message": str(error)}
            if is_gone:
                self.close_connection = True
                return
            payload = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 (names of http.server)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kubeflow.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield kubeflow
    finally:
        server.shutdown()
        server.server_close()
