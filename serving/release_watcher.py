"""Watches live.json and switches to the live release."""

import gc
import logging
from collections.abc import Callable
from time import monotonic
from typing import Final, Protocol

from serving.errors import Unavailable
from serving.process.polling_thread import PollingThread
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.open_releases import OpenReleases
from serving.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

# Delay before a version that could not be opened is tried again.
_RETRY_S: Final = 5.0

# Time that the first release waits for the model server, which may start at the same time.
_STARTUP_WAIT_S: Final = 10.0


class ServedVersions(Protocol):
    """The versions that a model server has loaded; implemented by model_server_client.InterestClient."""

    def available_versions(self, timeout_s: float, /) -> list[int]: ...
    def close(self) -> None: ...


class ReleaseWatcher:
    """Polls live.json in a thread; `live()` returns the release that answers requests."""

    def __init__(
        self,
        releases: OpenReleases,
        model_server: ServedVersions,
        metrics: Metrics,
        poll_s: float = 0.2,
        on_live: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_live` is called after each switch to another release."""
        self._releases, self._store = releases, releases.store
        self._model_server, self._metrics = model_server, metrics
        self._on_live = on_live
        self._live: LoadedRelease | None = None
        self._next: LoadedRelease | None = None
        self._last_tried: int | None = None
        self._problem, self._retry_at, self._wait_until = "", 0.0, 0.0
        self._thread = PollingThread("release watcher", self.refresh, poll_s, at_once=True)

    @property
    def current(self) -> LoadedRelease | None:
        """Return the live release, or None before the first."""
        return self._live

    def live(self) -> LoadedRelease:
        """Return the live release.

        Raises:
            Unavailable: no release is live yet; the message says the next step.
        """
        if self._live is None:
            raise Unavailable(
                self._problem or f"no release is live in {self._store.root}: train one with `penchant run`"
            )
        return self._live

    def start(self) -> None:
        """Start the thread."""
        self._wait_until = monotonic() + _STARTUP_WAIT_S
        self._thread.start()

    def close(self) -> None:
        self._thread.close()
        gc.unfreeze()  # frozen objects would outlive the interpreter, which libraries report as leaks

    def refresh(self) -> None:
        """Switch to the version in live.json, once the model server serves it too.

        If the version can't be used, logs the problem and keeps the current release.
        """
        try:
            version = self._store.live()
            if version is None or version == (self._live and self._live.version):
                self._next = None
            elif (release := self._open(version)) and self._is_ready(version):
                self._swap(release)
        except Exception as error:  # an incomplete file can raise anything, and the thread must continue
            if self._report(f"the live release can't be used: {error!r}"):
                self._metrics.release_failures.inc()

    def _open(self, version: int) -> LoadedRelease | None:
        if self._next is None or self._next.version != version:
            if version == self._last_tried and monotonic() < self._retry_at:
                return None
            self._last_tried, self._retry_at = version, monotonic() + _RETRY_S
            self._next = self._releases.open(version)
        return self._next

    def _is_ready(self, version: int) -> bool:
        """Return whether the model server serves the version.

        The first release is also ready after _STARTUP_WAIT_S, because degraded answers are better than none.
        """
        if self._is_served(version) or (self._live is None and monotonic() > self._wait_until):
            return True
        self._report(f"release {version} waits: the model server does not report it as AVAILABLE")
        return False

    def _is_served(self, version: int) -> bool:
        try:
            return version in self._model_server.available_versions(1.0)
        except Unavailable:
            return False

    def _swap(self, release: LoadedRelease) -> None:
        previous, self._live, self._next, self._problem = self._live, release, None, ""
        self._metrics.release.set(release.version)
        self._metrics.newest_interaction.set(release.ranking.manifest.get("learned_until", 0) / 1e6)
        self._on_live()
        logger.info(
            "release %d is live, previous: %s", release.version, previous.version if previous else "none"
        )

    def _report(self, problem: str) -> bool:
        """Log a problem unless it was the last one logged; returns whether it is new."""
        new, self._problem = problem != self._problem, problem
        if new:
            logger.warning("%s", problem, exc_info=logger.isEnabledFor(logging.DEBUG))
        return new
