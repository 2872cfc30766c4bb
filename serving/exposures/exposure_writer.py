"""Writes exposures to the store in batches, in a thread of its own, so that no answer waits for them."""

import logging
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from threading import Event, Lock, Thread
from typing import Final, Protocol

from serving.errors import Unavailable
from serving.exposures.exposure_table import NAMES, Row
from serving.telemetry.logs import OncePerSecond
from serving.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)
logger.addFilter(OncePerSecond())

# What a kill of the process loses: the exposures of this time, but those that `flush` was called for.
PERIOD_S: Final = 0.5

# The memory of exposures that wait; further ones are dropped.
MAX_WAITING_BYTES: Final = 4_000_000
# Of a row without its items and its request.
_BYTES_PER_ROW: Final = 1_000
_REQUEST_ID, _ITEM_IDS, _REQUEST = map(NAMES.index, ("request_id", "item_ids", "request"))

# Recordings wait for the transaction of a batch.
_BATCH: Final = 500

_RETENTION_CHECK_S: Final = 600.0
_DAY_US: Final = 86_400_000_000
_CLOSE_S: Final = 5.0


class WritableStore(Protocol):
    """Implemented by serving.exposures.exposure_store.ExposureStore."""

    def append(self, rows: Sequence[Row], /) -> None: ...
    def delete_before(self, timestamp: int, /) -> int: ...


class ExposureWriter:
    """Keeps exposures until its thread has written them; counts what it writes and drops."""

    def __init__(self, store: WritableStore, metrics: Metrics, retention_days: float) -> None:
        """Exposures older than `retention_days` are deleted."""
        self._store, self._metrics, self._retention_days = store, metrics, retention_days
        self._lock = Lock()  # guards the next five
        self._waiting: list[Row] = []
        self._waiting_bytes = 0
        self._waiting_ids: set[str] = set()
        self._written_ids: set[str] = set()  # of the batches that are being written
        self._flushed: list[Future[None]] = []
        self._has_work, self._hurry, self._is_closed = Event(), Event(), False
        self._thread = Thread(target=self._run, name="exposures", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def add(self, row: Row) -> None:
        """Write an exposure soon, or drop it if too many wait; never blocks."""
        with self._lock:
            fits = self._waiting_bytes < MAX_WAITING_BYTES
            if fits:
                self._waiting.append(row)
                self._waiting_bytes += _size(row)
                self._waiting_ids.add(row[_REQUEST_ID])
        if not fits:
            self._drop(1, "the store is too slow")
        elif not self._has_work.is_set():
            self._has_work.set()

    def flush(self, request_ids: Collection[str]) -> "Future[None] | None":
        """Return a future of the moment when the exposures of these requests are written, or dropped.

        None if none of them waits.
        """
        with self._lock:
            if self._waiting_ids.isdisjoint(request_ids) and self._written_ids.isdisjoint(request_ids):
                return None
            future: Future[None] = Future()
            self._flushed.append(future)
        self._has_work.set()
        self._hurry.set()
        return future

    def close(self) -> None:
        """Write what waits, for at most some seconds, and end the thread."""
        self._is_closed = True
        self._has_work.set()
        self._hurry.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        retention_check = time.monotonic()
        while not self._is_closed:
            self._has_work.wait(_RETENTION_CHECK_S)
            self._hurry.wait(PERIOD_S)  # collects a batch
            self._write_waiting()
            if time.monotonic() >= retention_check:
                retention_check = time.monotonic() + _RETENTION_CHECK_S
                self._delete_old()
        self._write_waiting()

    def _write_waiting(self) -> None:
        self._has_work.clear()
        self._hurry.clear()
        with self._lock:
            waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
            self._written_ids, self._waiting_ids = self._waiting_ids, set()
            flushed, self._flushed = self._flushed, []
        for start in range(0, len(waiting), _BATCH):
            self._write(waiting[start : start + _BATCH])
        with self._lock:
            self._written_ids = set()
        for future in flushed:
            future.set_result(None)

    def _write(self, batch: Sequence[Row]) -> None:
        try:
            self._store.append(batch)
        except Unavailable as error:
            self._drop(len(batch), str(error))
        else:
            self._metrics.exposures["stored"].inc(len(batch))

    def _delete_old(self) -> None:
        before = time.time_ns() // 1000 - round(self._retention_days * _DAY_US)
        try:
            while self._store.delete_before(before) and not self._has_work.is_set():
                pass
        except Unavailable as error:
            logger.warning("old exposures can't be deleted: %s", error)

    def _drop(self, count: int, reason: str) -> None:
        self._metrics.exposures["dropped"].inc(count)
        logger.warning("exposures are dropped: %s", reason)


def _size(row: Row) -> int:
    """Return about how many bytes an exposure takes."""
    return _BYTES_PER_ROW + 3 * len(row[_ITEM_IDS]) + len(row[_REQUEST])
