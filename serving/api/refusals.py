"""Counts refused calls and logs one of them a second for each reason."""

import logging

from serving.errors import Forbidden, PenchantError, TooManyRequests, Unauthenticated
from serving.telemetry.logs import OncePerSecond
from serving.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)
logger.addFilter(OncePerSecond())


class Refusals:
    """Counts and logs the calls that a limit or the authorization refused; other errors are no refusals."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def add(self, method: str, peer: str, error: PenchantError) -> None:
        """Count a call of `method`, the name of a known method or "unknown", if `error` is a refusal."""
        if not isinstance(error, TooManyRequests | Unauthenticated | Forbidden):
            return
        reason = getattr(error, "limit", "") or error.status.lower()
        self._metrics.refused_calls.labels(method, reason).inc()
        # The reason is part of the unformatted message, so that each reason has its own line.
        logger.warning(f"refused a call ({reason}): %s from %s: %s", method, peer, error)
