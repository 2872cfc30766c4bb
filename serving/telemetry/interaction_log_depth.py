"""Counts the interactions that were recorded after the feature snapshot, in a thread of its own."""

import logging
from threading import Event, Thread
from typing import Protocol

from serving.errors import Unavailable
from serving.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)


class CountedLog(Protocol):
    """Implemented by serving.user_data.interaction_log.InteractionLog."""

    def depth(self, as_of: int, /) -> int: ...


class LogDepth:
    """Updates the gauge Metrics.log_depth every `period_s`; keeps the last value if the log can't be read."""

    def __init__(self, log: CountedLog, metrics: Metrics, period_s: float = 15.0) -> None:
        self._log, self._metrics, self._period_s = log, metrics, period_s
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="log depth", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopped.set()

    def count(self) -> None:
        """Update the gauge once."""
        try:
            self._metrics.log_depth.set(self._log.depth(self._metrics.snapshot_as_of))
        except Unavailable as error:
            logger.warning("interactions after the snapshot can't be counted: %s", error)

    def _run(self) -> None:
        while not self._stopped.wait(self._period_s):
            self.count()
