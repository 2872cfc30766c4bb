"""Which release is live: the watcher that swaps it when another version goes live."""

import gc
import logging
from collections.abc import Callable
from threading import Event, Thread
from time import monotonic
from typing import Final, Protocol

from serving.errors import Unavailable
from serving.ranking.loaded_release import LoadedRelease
from serving.release.release_store import ReleaseStore
from serving.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

# A version that could not be opened is tried again no sooner than this.
_RETRY_S: Final = 5.0

# How long the first release waits for a model server that starts beside this process.
_PATIENCE_S: Final = 10.0


class ServedVersions(Protocol):
    """What knows the versions a model server holds; serving.interest.client.InterestClient is one."""

    def available_versions(self, timeout_s: float, /) -> list[int]: ...
    def close(self) -> None: ...


class ReleaseWatcher:
    """Follows live.json; `live()` is the release to answer with."""

    def __init__(
        self,
        store: ReleaseStore,
        models: ServedVersions,
        metrics: Metrics,
        poll_s: float = 0.2,
        on_live: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_live` is called after each swap."""
        self._store, self._models, self._metrics = store, models, metrics
        self._poll_s, self._on_live = poll_s, on_live
        self._live: LoadedRelease | None = None
        self._next: LoadedRelease | None = None
        self._tried: int | None = None
        self._trouble, self._retry_at, self._patience = "", 0.0, 0.0
        self._stopped = Event()
        self._thread = Thread(target=self._watch, name="releases", daemon=True)

    @property
    def current(self) -> LoadedRelease | None:
        """The live release, None before the first."""
        return self._live

    def live(self) -> LoadedRelease:
        """The live release.

        Raises:
            Unavailable: there is none yet; says the next step.
        """
        if self._live is None:
            raise Unavailable(
                self._trouble or f"no release is live in {self._store.root}: train one with `penchant run`"
            )
        return self._live

    def start(self) -> None:
        """Watch in a thread, beginning now."""
        self._patience = monotonic() + _PATIENCE_S
        self._thread.start()

    def close(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def refresh(self) -> None:
        """Swap to the version that live.json names, once the model server serves it too.

        What can't be used is reported, and the release in use stays.
        """
        try:
            version = self._store.live()
            if version is None or version == (self._live and self._live.version):
                self._next = None
            elif (release := self._opened(version)) and self._may_start(version):
                self._swap(release)
        except Exception as error:  # a torn file raises anything, and the watch must outlive it
            if self._report(f"the live release can't be used: {error!r}"):
                self._metrics.release_failures.inc()

    def _opened(self, version: int) -> LoadedRelease | None:
        if self._next is None or self._next.version != version:
            if version == self._tried and monotonic() < self._retry_at:
                return None
            self._tried, self._retry_at = version, monotonic() + _RETRY_S
            self._next = LoadedRelease(self._store.open(version))
        return self._next

    def _may_start(self, version: int) -> bool:
        """A first release does not wait for ever: it answers degraded rather than not at all."""
        if self._is_served(version) or (self._live is None and monotonic() > self._patience):
            return True
        self._report(f"release {version} waits: the model server does not report it AVAILABLE")
        return False

    def _is_served(self, version: int) -> bool:
        try:
            return version in self._models.available_versions(1.0)
        except Unavailable:
            return False

    def _swap(self, release: LoadedRelease) -> None:
        before, self._live, self._next, self._trouble = self._live, release, None, ""
        # A catalog is millions of objects that live as long as the release: keep the collector off them.
        gc.freeze()
        self._metrics.release.set(release.version)
        self._metrics.newest_interaction.set(release.ranking.manifest.get("learned_until", 0) / 1e6)
        self._on_live()
        logger.info("release %d is live, before: %s", release.version, before.version if before else "none")

    def _report(self, trouble: str) -> bool:
        """Log a trouble when it is new, and say whether it was."""
        new, self._trouble = trouble != self._trouble, trouble
        if new:
            logger.warning("%s", trouble, exc_info=logger.isEnabledFor(logging.DEBUG))
        return new

    def _watch(self) -> None:
        while not self._stopped.is_set():
            self.refresh()
            self._stopped.wait(self._poll_s)
