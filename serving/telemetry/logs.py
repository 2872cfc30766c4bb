"""Log lines: one a second for an outage however many requests meet it, as JSON where a machine reads them."""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final, Literal

TEXT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"

# The request that this thread works for, "" outside of one.
request_id: Final[ContextVar[str]] = ContextVar("request_id", default="")

# Of what a client sends; more would not be a legal id.
MAX_LENGTH: Final = 256

_SILENCE_S: Final = 1.0


class OncePerSecond(logging.Filter):
    """Lets a second's first line of each kind through; the next one says how many were kept back.

    A kind is a line's unformatted message, so one message belongs to one part.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = monotonic()
        since, kept_back = self._kinds.get(str(record.msg), (-_SILENCE_S, 0))
        if now - since < _SILENCE_S:
            self._kinds[str(record.msg)] = (since, kept_back + 1)
            return False
        self._kinds[str(record.msg)] = (now, 0)
        if kept_back:
            record.msg = f"{record.msg} ({kept_back} more since the last such line)"
        return True


class JsonFormatter(logging.Formatter):
    """A line as one JSON object: time (UTC), level, logger, message, request id, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if current := request_id.get():
            line["request_id"] = current
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class RequestLog:
    """A line for each call of the service, when asked for; a user's id only when that is asked for too."""

    def __init__(self, enabled: bool, user_ids: bool) -> None:
        self._enabled, self._user_ids = enabled, user_ids
        self._logger = logging.getLogger("serving.requests")

    def add(self, method: str, code: str, seconds: float, request: object) -> None:
        if not self._enabled:
            return
        fields: dict[str, Any] = {"method": method, "code": code, "milliseconds": round(seconds * 1000, 3)}
        if self._user_ids and (user_id := getattr(request, "user_id", "")):
            fields["user_id"] = user_id[:MAX_LENGTH]
        # As Python writes them: what a client sends must not begin a line of its own.
        told = " ".join(f"{name}={value!r}" for name, value in fields.items())
        self._logger.info("%s request_id=%r", told, request_id.get(), extra={"fields": fields})


def configure(form: Literal["text", "json"]) -> None:
    """Send every line of this process to stderr in the form that the settings name."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
