"""The store of published releases, and the record of the live version.

interest/<version>/   a SavedModel in TensorFlow Serving's layout
ranking/<version>/    a ranking directory: serving.release.ranking_data
live.json             {"version": 7, "previous": 6, "pinned": false}, replaced atomically

A version is published when both directories have their marker, the file that is written last. Half a version
is what a killed push leaves.
"""

import json
from pathlib import Path
from typing import Any, Final

from fsspec.implementations.local import LocalFileSystem

from feature_repo.atomic_files import atomic_directory, remove_directory
from feature_repo.contract import INTEREST_MODEL, LIVE, MANIFEST, RANKING
from feature_repo.filesystems import locate
from serving.errors import DamagedRelease, ReleaseError
from serving.release.checksums import check_files
from serving.release.ranking_data import Ranking

MARKERS: Final = {RANKING: MANIFEST, INTEREST_MODEL: "saved_model.pb"}


class ReleaseStore:
    """Releases at an fsspec URL; a release of a remote store is copied to `cache` when it is opened."""

    def __init__(self, url: str, cache: Path | None = None) -> None:
        self.filesystem, self.root = locate(url)
        self._cache = cache

    def path(self, kind: str, version: int) -> str:
        """Return the path of one directory of a release; `kind` is RANKING or INTEREST_MODEL."""
        return f"{self.root}/{kind}/{version}"

    def live(self) -> int | None:
        """Return the live version, None before the first push."""
        return self.live_record().get("version")

    def live_record(self) -> dict[str, Any]:
        """Return the content of live.json, empty before the first push."""
        try:
            with self.filesystem.open(f"{self.root}/{LIVE}", "rb") as file:
                record: dict[str, Any] = json.load(file)
        except FileNotFoundError:
            return {}
        return record

    def versions(self) -> list[int]:
        """Return the published versions, oldest first."""
        return [version for version in self.directories() if self.is_published(version)]

    def is_published(self, version: int) -> bool:
        """Return whether both directories of a version are complete."""
        return all(
            self.filesystem.exists(f"{self.path(kind, version)}/{marker}") for kind, marker in MARKERS.items()
        )

    def directories(self) -> list[int]:
        """Return the versions that have a directory, oldest first; also those that are half published."""
        return sorted({version for kind in MARKERS for version in self._directories(kind)})

    def _directories(self, kind: str) -> list[int]:
        try:
            entries = self.filesystem.ls(f"{self.root}/{kind}", detail=False)
        except FileNotFoundError:
            return []
        names = (entry.rstrip("/").rsplit("/", 1)[-1] for entry in entries)
        return [int(name) for name in names if name.isdigit()]

    def open(self, version: int) -> Ranking:
        """Open the ranking of a version; raises the same errors as Ranking.load.

        The checksums of its interest model are compared too, where it is in a local store. A damaged copy of
        a remote release is deleted, so that the next call copies it again.
        """
        directory, is_local = self.local(RANKING, version), isinstance(self.filesystem, LocalFileSystem)
        try:
            ranking = Ranking.load(directory, version)
            if is_local:
                check_files(self.local(INTEREST_MODEL, version), INTEREST_MODEL, ranking.manifest["files"])
        except DamagedRelease:
            if not is_local:
                remove_directory(directory)
            raise
        return ranking

    def local(self, kind: str, version: int) -> Path:
        """Return a local directory with `kind` of `version`; copies it from a remote store first.

        Raises:
            ReleaseError: the store is remote and no cache directory was given.
        """
        if isinstance(self.filesystem, LocalFileSystem):
            return Path(self.path(kind, version))
        if self._cache is None:
            raise ReleaseError(f"release store {self.root} is remote: a cache directory is needed to open it")
        target = self._cache / kind / str(version)
        if not (target / ".complete").exists():
            # Atomic, because several workers may copy at once, and a worker maps the files into its memory.
            with atomic_directory(target) as staged:
                self.filesystem.get(self.path(kind, version) + "/", f"{staged}/", recursive=True)
                (staged / ".complete").touch()
        return target
