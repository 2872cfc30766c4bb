"""Which versions are published, and which one is live; light to import, for commands that answer at once.

interest/<version>/   a SavedModel in TensorFlow Serving's layout
ranking/<version>/    a ranking directory: serving.release.ranking_data
live.json             {"version": 7, "previous": 6, "pinned": false, …}, replaced atomically
candidates/<version>  an empty file: published for an experiment, and never live

A version is published when both directories have their marker, the file that is written last. Half a version
is what a killed push leaves.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from fsspec.implementations.local import LocalFileSystem

from feature_repo.contract import INTEREST_MODEL, LIVE, MANIFEST, RANKING
from feature_repo.filesystems import locate
from serving.errors import ReleaseError, Unavailable

CANDIDATES: Final = "candidates"

MARKERS: Final = {RANKING: MANIFEST, INTEREST_MODEL: "saved_model.pb"}


class PublishedVersions:
    """The versions at an fsspec URL or a local path; each method may raise Unavailable for a URL."""

    def __init__(self, url: str) -> None:
        self.filesystem, self.root = locate(url)

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Name an object store that gives no answer; the errors of its libraries have no common base class.

        Raises:
            Unavailable: instead of such an error.
        """
        try:
            yield
        except Exception as error:
            if isinstance(self.filesystem, LocalFileSystem) or isinstance(error, FileNotFoundError):
                raise
            reason = str(error) or type(error).__name__
            raise Unavailable(
                f"the release store {self.filesystem.unstrip_protocol(self.root)} gives no answer: "
                f"{reason.splitlines()[0]}; repeat the command when it is up"
            ) from error

    def path(self, kind: str, version: int) -> str:
        """Return the path of one directory of a release; `kind` is RANKING or INTEREST_MODEL."""
        return f"{self.root}/{kind}/{version}"

    def live(self) -> int | None:
        """Return the live version, None before the first push."""
        return self.live_record().get("version")

    def live_record(self) -> dict[str, Any]:
        """Return the content of live.json, empty before the first push.

        Raises:
            ReleaseError: the file is damaged.
        """
        try:
            with self.reached(), self.filesystem.open(f"{self.root}/{LIVE}", "rb") as file:
                content = file.read()
        except FileNotFoundError:
            return {}
        try:
            record = json.loads(content)
        except ValueError:
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("version"), int):
            raise ReleaseError(
                f'{self.root}/{LIVE} is damaged: expected {{"version": NUMBER, …}}, found {content[:40]!r}; '
                "make a published version live with `penchant review rollback --to VERSION`"
            )
        return record

    def rollback_target(self) -> int | None:
        """Return the version that a rollback makes live: the one before, else the newest other one.

        Versions that were published for an experiment only are left out.
        """
        record, published = self.live_record(), self.versions()
        if record.get("previous") in published:
            return int(record["previous"])
        never = {record.get("version"), *self._versions_in(CANDIDATES)}
        return max((version for version in published if version not in never), default=None)

    def mark_candidate(self, version: int) -> None:
        """Note that a version is published for an experiment; switching to it ends that."""
        with self.reached():
            self.filesystem.makedirs(f"{self.root}/{CANDIDATES}", exist_ok=True)
            self.filesystem.touch(f"{self.root}/{CANDIDATES}/{version}")

    def unmark_candidate(self, version: int) -> None:
        with suppress(FileNotFoundError), self.reached():
            self.filesystem.rm(f"{self.root}/{CANDIDATES}/{version}")

    def versions(self) -> list[int]:
        """Return the published versions, oldest first."""
        return [version for version in self.directories() if self.is_published(version)]

    def is_published(self, version: int) -> bool:
        """Return whether both directories of a version are complete."""
        files = [f"{self.path(kind, version)}/{marker}" for kind, marker in MARKERS.items()]
        with self.reached():
            return all(self.filesystem.exists(file) for file in files)

    def directories(self) -> list[int]:
        """Return the versions that have a directory, oldest first; also those that are half published."""
        return sorted({version for kind in MARKERS for version in self._versions_in(kind)})

    def _versions_in(self, folder: str) -> list[int]:
        try:
            with self.reached():
                entries = self.filesystem.ls(f"{self.root}/{folder}", detail=False)
        except FileNotFoundError:
            return []
        names = (entry.rstrip("/").rsplit("/", 1)[-1] for entry in entries)
        return [int(name) for name in names if name.isdigit()]
