"""Deletes the exposures of a user whose interactions are withdrawn from the warehouse."""

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from components.errors import StepError
from components.ingest_interactions.warehouse.parts import LOG
from components.ingest_interactions.warehouse.recorded_interactions import log_exists
from components.ingest_interactions.warehouse.retracted_rows import CONDITION, condition_sql
from serving.errors import Unavailable
from serving.exposures.exposure_store import ExposureStore

_ABOVE: Final = re.compile(">=?")


def delete_exposures(url: str, source: str, conditions: Sequence[str]) -> int:
    """Delete what was shown to a user whose interactions are withdrawn; returns the number of answers.

    Conditions on a user, and maybe on times, concern exposures; conditions on other columns do not, nor does
    a source other than the interaction log.

    Args:
        url: of the interaction log.
        source, conditions: as of components.ingest_interactions.warehouse.retraction.retract.

    Raises:
        StepError: a condition is invalid, or the log can't be reached.
    """
    for text in conditions:
        condition_sql(text)  # raises StepError for what is no condition
    parsed = [match.groups() for text in conditions if (match := CONDITION.fullmatch(text))]
    users = [value for column, operator, value in parsed if (column, operator) == ("user_id", "=")]
    others = {column for column, _, _ in parsed} - {"user_id", "timestamp"}
    if len(users) != 1 or others or source not in ("", LOG) or not log_exists(url):
        return 0
    start, end = 0, time.time_ns() // 1000
    for column, operator, value in parsed:
        if column == "timestamp":
            start, end = _narrowed(start, end, operator, _microseconds(value))
    store = ExposureStore(url)
    try:
        return store.delete_user(users[0], start, end)
    except Unavailable as error:
        raise StepError(f"the exposures of user {users[0]!r} can't be deleted: {error}") from error
    finally:
        store.close()


def _narrowed(start: int, end: int, operator: str, at: int) -> tuple[int, int]:
    """Return the window from `start` until before `end`, µs, narrowed by one condition."""
    if operator == "=":
        return max(start, at), min(end, at + 1)
    if _ABOVE.fullmatch(operator):
        return max(start, at + (operator == ">")), end
    return start, min(end, at + (operator == "<="))


def _microseconds(value: str) -> int:
    moment = datetime.fromisoformat(value)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)
