"""Logging: text or JSON lines, a rate limit for repeated warnings, and the request log."""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final, Literal

from feature_repo.printable_text import printable

TEXT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"

# Id of the request in progress, "" outside of a request.
request_id: Final[ContextVar[str]] = ContextVar("request_id", default="")

# Longest text from a client in a log line; equal to the length limit of ids.
MAX_LENGTH: Final = 256

_PERIOD_S: Final = 1.0


class OncePerSecond(logging.Filter):
    """Passes one line a second for each message; the next line that passes says how many were suppressed.

    Lines with the same unformatted message count as one message.
    """

    def __init__(self) -> None:
        super().__init__()
        self._messages: dict[str, tuple[float, int]] = {}  # message -> last line passed at, suppressed since

    def filter(self, record: logging.LogRecord) -> bool:
        now = monotonic()
        passed_at, suppressed = self._messages.get(str(record.msg), (-_PERIOD_S, 0))
        if now - passed_at < _PERIOD_S:
            self._messages[str(record.msg)] = (passed_at, suppressed + 1)
            return False
        self._messages[str(record.msg)] = (now, 0)
        if suppressed:
            record.msg = f"{record.msg} ({suppressed} more since the last such line)"
        return True


class TextFormatter(logging.Formatter):
    """Formats a line as TEXT; a message is one line without control characters, whatever data it quotes."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name in logging)
        record.message = printable(record.message)
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """Formats a line as a JSON object: time (UTC), level, logger, message, request id, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": printable(record.getMessage(), lines=True),
        }
        if request := request_id.get():
            line["request_id"] = request
        for name, value in getattr(record, "fields", {}).items():
            line[name] = printable(value) if isinstance(value, str) else value
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class RequestLog:
    """Logs a line for each call, if enabled; with `user_ids`, the line contains the user's id."""

    def __init__(self, enabled: bool, user_ids: bool) -> None:
        self._enabled, self._user_ids = enabled, user_ids
        self._logger = logging.getLogger("serving.requests")

    def add(self, method: str, code: str, seconds: float, request: object) -> None:
        """Log a finished call; `request` is None if it was refused before its message was parsed."""
        if not self._enabled:
            return
        fields: dict[str, Any] = {"method": method, "code": code, "milliseconds": round(seconds * 1000, 3)}
        if self._user_ids and (user_id := getattr(request, "user_id", "")):
            fields["user_id"] = user_id[:MAX_LENGTH]
        # repr() escapes line breaks, so that a client can't forge log lines.
        values = " ".join(f"{name}={value!r}" for name, value in fields.items())
        self._logger.info("%s request_id=%r", values, request_id.get(), extra={"fields": fields})


def configure(log_format: Literal["text", "json"]) -> None:
    """Write all log lines of this process to stderr, as text or JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter(TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
