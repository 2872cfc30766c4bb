"""Log lines: rate limit of repeated warnings, JSON, request ids, and no user ids by default."""

import itertools
import json
import logging
import time
from pathlib import Path

import pytest

from serving.errors import InvalidRequest
from serving.telemetry import logs
from tests.serving.service import running

_hours = itertools.count(1)


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock, an hour after the log lines of other tests."""
    now = time.monotonic() + 3600 * next(_hours)
    monkeypatch.setattr("serving.telemetry.logs.monotonic", lambda: now)


def test_once_per_second_passes_the_first_line_and_counts_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [100.0]
    monkeypatch.setattr("serving.telemetry.logs.monotonic", lambda: now[0])
    logger = logging.getLogger("serving.telemetry.logs.test")
    logger.addFilter(logs.OncePerSecond())
    for number in range(4):
        logger.warning("no delta: %s", number)
    logger.warning("no snapshot: %s", "store")
    now[0] += 1.5
    logger.warning("no delta: %s", 9)
    assert [record.getMessage() for record in caplog.records] == [
        "no delta: 0",
        "no snapshot: store",
        "no delta: 9 (3 more since the last such line)",
    ]


def test_an_outage_logs_a_few_lines_without_user_ids(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, stopped_clock: None
) -> None:
    with running(tmp_path) as service:
        service.client.record("very-secret-user", "comedy-1")
        service.features.broken = service.log.broken = service.model.down = True
        with caplog.at_level(logging.INFO):
            for _ in range(50):
                service.client.recommend("very-secret-user", history=["comedy-1"])
        warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert 3 <= len(warnings) < 15
        assert "very-secret-user" not in caplog.text
        service.features.broken = service.log.broken = service.model.down = False


@pytest.mark.parametrize("user_ids", [False, True])
def test_the_request_log_has_a_line_for_each_call_and_user_ids_only_if_enabled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, user_ids: bool
) -> None:
    with running(tmp_path, log_requests=True, log_user_ids=user_ids) as service:
        with caplog.at_level(logging.INFO, "serving.requests"):
            service.client.recommend("secret-user", request_id="mine")
            with pytest.raises(InvalidRequest):
                service.client.recommend("secret-user", k=9999, request_id="forged\nline")
        answered, rejected = [record for record in caplog.records if record.name == "serving.requests"][-2:]
    fields = answered.__dict__["fields"]
    assert (fields["method"], fields["code"]) == ("Recommend", "OK")
    assert "request_id='mine'" in answered.getMessage()
    assert rejected.__dict__["fields"]["code"] == "INVALID_ARGUMENT"
    assert "\n" not in rejected.getMessage()
    assert ("secret-user" in caplog.text) is user_ids


def test_the_request_log_has_no_id_that_was_just_erased(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        running(tmp_path, log_requests=True, log_user_ids=True) as service,
        caplog.at_level(logging.INFO, "serving.requests"),
    ):
        service.client.erase("secret-user")
        fields = [record.__dict__["fields"] for record in caplog.records if record.name == "serving.requests"]
    assert [(each["method"], each["code"]) for each in fields] == [("EraseUser", "OK")]
    assert "secret-user" not in caplog.text


def test_a_json_line_contains_request_id_fields_and_traceback() -> None:
    token = logs.request_id.set("mine")
    try:
        raise RuntimeError("broken")
    except RuntimeError as error:
        record = logging.LogRecord(
            "serving.x", logging.ERROR, "", 0, "%s failed\n", ("it",), (type(error), error, None)
        )
    record.__dict__["fields"] = {"code": "INTERNAL"}
    line = json.loads(logs.JsonFormatter().format(record))
    logs.request_id.reset(token)
    assert line.pop("time").endswith("+00:00")
    assert "RuntimeError: broken" in line.pop("traceback")
    assert line == {
        "level": "ERROR",
        "logger": "serving.x",
        "message": "it failed\n",
        "request_id": "mine",
        "code": "INTERNAL",
    }
    assert "\n" not in logs.JsonFormatter().format(record)


def test_lines_of_reader_threads_carry_the_request_id(tmp_path: Path, stopped_clock: None) -> None:
    lines = []

    class Recorder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append((record.getMessage(), logs.request_id.get()))

    handler = Recorder()
    logging.getLogger("serving.user_data.history_reader").addHandler(handler)
    with running(tmp_path) as service:
        service.features.broken = True
        service.client.recommend("u", request_id="mine")
        service.features.broken = False
    logging.getLogger("serving.user_data.history_reader").removeHandler(handler)
    assert [request for message, request in lines if message.startswith("no snapshot")] == ["mine"]


@pytest.mark.parametrize("formatter", [logs.TextFormatter(logs.TEXT), logs.JsonFormatter()])
def test_a_line_shows_control_characters_of_data_escaped(formatter: logging.Formatter) -> None:
    fields = {"user_id": "u\x9b31m"}
    record = logging.makeLogRecord(
        {"msg": "no snapshot: %s", "args": ("a\x1b[31m\x9b2J\u202e",), "name": "n", "fields": fields}
    )
    line = formatter.format(record)
    assert "\n" not in line
    assert line.isprintable()
    assert "x1b[31m" in line
