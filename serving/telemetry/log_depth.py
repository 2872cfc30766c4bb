"""How many interactions wait in the log for the next snapshot, counted where no answer waits for it."""

import logging
from threading import Event, Thread
from typing import Protocol

from serving.errors import Unavailable
from serving.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)


class CountedLog(Protocol):
    """serving.user_data.interaction_log.InteractionLog is one."""

    def depth(self, recorded_after: int, /) -> int: ...


class LogDepth:
    """Counts every `every_s`; a log that can't be read leaves the last count."""

    def __init__(self, log: CountedLog, metrics: Metrics, every_s: float = 15.0) -> None:
        self._log, self._metrics, self._every_s = log, metrics, every_s
        self._stopped = Event()
        self._thread = Thread(target=self._watch, name="log depth", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopped.set()

    def count(self) -> None:
        """Set the gauge."""
        try:
            self._metrics.log_depth.set(self._log.depth(self._metrics.snapshot_as_of))
        except Unavailable as error:
            logger.warning("the log's depth can't be counted: %s", error)

    def _watch(self) -> None:
        while not self._stopped.wait(self._every_s):
            self.count()
