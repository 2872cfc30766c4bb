"""A model: its versions on disk, their states, and the version that answers a request."""

import gc
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Condition

from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

from serving.model_server.errors import Failure, servable_not_found, shortened
from serving.model_server.servable import Servable
from serving.model_server.versions import VersionPolicy, find_versions, no_versions

logger = logging.getLogger("serving.model_server")


@dataclass
class _Version:
    state: int = ModelVersionStatus.START
    failure: Failure | None = None
    servable: Servable | None = None
    requests: int = 0  # in progress


class Model:
    """A model by name, which loads new versions before it unloads old ones.

    This is TensorFlow Serving's AvailabilityPreservingPolicy.
    """

    def __init__(self, name: str, base_path: Path, policy: VersionPolicy) -> None:
        self.name = name
        self.base_path = base_path
        self.policy = policy
        self._aspired: set[int] = set()
        self._versions: dict[int, _Version] = {}
        self._changed = Condition()  # with an RLock: `available` also runs while it is held
        self._is_unreadable = False

    def retire(self) -> None:
        """Unload all versions at the next poll; their states can still be queried."""
        self.policy = no_versions()

    def poll(self) -> None:
        """Load and unload versions to match the policy; one caller at a time."""
        on_disk = self._find()
        if on_disk is None:
            return
        aspired = self.policy(on_disk)
        for version in sorted(aspired - self._aspired - set(self.available()), reverse=True):
            self._load(version, on_disk[version])
        self._aspired = aspired
        available = set(self.available())
        if not aspired or aspired & available:
            for version in sorted(available - aspired):
                self._unload(version)

    def available(self) -> list[int]:
        with self._changed:
            return [n for n, version in self._versions.items() if version.servable is not None]

    def statuses(self) -> list[ModelVersionStatus]:
        """Return the states of all versions, newest first, as TensorFlow Serving's monitor does."""
        with self._changed:
            versions = sorted(self._versions.items(), reverse=True)
            return [_status(number, version) for number, version in versions]

    @contextmanager
    def lease(self, number: int | None) -> Iterator[Servable]:
        """Yield the servable of a version, the newest for None; it stays loaded until the block ends.

        Raises:
            Failure: NOT_FOUND, the version is not available.
        """
        with self._changed:
            version, servable = self._find_available(number)
            version.requests += 1
        try:
            yield servable
        finally:
            with self._changed:
                version.requests -= 1
                if version.requests == 0 and version.state == ModelVersionStatus.UNLOADING:
                    self._changed.notify_all()

    def _find(self) -> dict[int, Path] | None:
        """Return the versions on disk; None if the base path can't be read, so that loaded versions stay."""
        try:
            versions = find_versions(self.base_path)
        except OSError as error:
            if not self._is_unreadable:
                logger.warning("model %s: can't list %s (%s)", self.name, self.base_path, error.strerror)
            self._is_unreadable = True
            return None
        self._is_unreadable = False
        return versions

    def _find_available(self, number: int | None) -> tuple[_Version, Servable]:
        chosen = max(self.available(), default=None) if number is None else number
        version = self._versions.get(chosen) if chosen is not None else None
        if version is None or version.servable is None:
            raise servable_not_found(self.name, number)
        return version, version.servable

    def _load(self, number: int, directory: Path) -> None:
        started = time.perf_counter()
        version = _Version(ModelVersionStatus.LOADING)
        self._set(number, version)
        try:
            servable = Servable.load(directory, self.name, number)
        except Failure as failure:
            self._set(number, _Version(ModelVersionStatus.END, failure))
            logger.error(
                "model %s: can't load version %d from %s, the other versions stay loaded: %s",
                self.name, number, directory, shortened(failure),
            )  # fmt: skip
            return
        self._set(number, _Version(ModelVersionStatus.AVAILABLE, servable=servable))
        logger.info("model %s: version %d loaded in %.2f s", self.name, number, time.perf_counter() - started)

    def _unload(self, number: int) -> None:
        with self._changed:
            version = self._versions[number]
            servable, version.servable = version.servable, None
            version.state = ModelVersionStatus.UNLOADING
            self._changed.wait_for(lambda: version.requests == 0)
            version.state = ModelVersionStatus.END
        assert servable is not None
        servable.close()
        del servable
        gc.collect()  # a Session and its graph form a reference cycle that holds all weights
        logger.info("model %s: version %d unloaded", self.name, number)

    def _set(self, number: int, version: _Version) -> None:
        with self._changed:
            self._versions[number] = version


def _status(number: int, version: _Version) -> ModelVersionStatus:
    status = ModelVersionStatus(version=number, state=version.state)
    status.status.SetInParent()
    if version.failure is not None:
        status.status.error_code = version.failure.error_code
        status.status.error_message = shortened(version.failure)
    return status
