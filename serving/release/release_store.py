"""Opens published releases: of a local store where they are, of a remote one from a local copy."""

from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from feature_repo.atomic_files import atomic_directory, remove_directory
from feature_repo.contract import INTEREST_MODEL, RANKING
from serving.errors import DamagedRelease, ReleaseError
from serving.release.checksums import check_files
from serving.release.published_versions import PublishedVersions
from serving.release.ranking_data import Ranking


class ReleaseStore(PublishedVersions):
    """Releases at an fsspec URL; a release of a remote store is copied to `cache` when it is opened."""

    def __init__(self, url: str, cache: Path | None = None) -> None:
        super().__init__(url)
        self._cache = cache

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
