"""Opens releases for ranking; whoever needs the same version gets the same one."""

import gc
from collections import defaultdict
from threading import Lock
from weakref import WeakValueDictionary

from serving.ranking.loaded_release import LoadedRelease
from serving.release.release_store import ReleaseStore


class OpenReleases:
    """The releases of a store that are in use: the live one, and those of an experiment. Thread-safe.

    A version that takes long to open, or to copy from a remote store, does not hold up another one.
    """

    def __init__(self, store: ReleaseStore) -> None:
        self.store = store
        self._open = WeakValueDictionary[int, LoadedRelease]()
        self._lock, self._opening = Lock(), defaultdict[int, Lock](Lock)  # version -> while it is opened

    def open(self, version: int) -> LoadedRelease:
        """Return a version; raises the errors of ReleaseStore.open and LoadedRelease."""
        with self._lock:
            opening = self._opening[version]
        with opening:
            release = self._open.get(version)
            if release is None:
                with _GARBAGE_COLLECTION_PAUSED:
                    release = LoadedRelease(self.store.open(version))
                self._open[version] = release
            return release


class _GarbageCollectionPaused:
    """Keeps garbage collection away from the objects of a catalog, which live as long as the release.

    While they are created, it would look through all of them, again and again, and the event loop would stand
    still meanwhile: .6 s with 300,000 items. Ends with the last of the blocks that run at the same time.
    """

    def __init__(self) -> None:
        self._lock, self._blocks = Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            self._blocks += 1
            gc.disable()

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        with self._lock:
            self._blocks -= 1
            if error is None:  # else the objects of a failed attempt would never be freed
                gc.freeze()
            if self._blocks == 0:
                gc.enable()


_GARBAGE_COLLECTION_PAUSED = _GarbageCollectionPaused()
