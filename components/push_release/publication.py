"""Publishes releases in the release store, and unpublishes old ones."""

import json
import shutil
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from components.errors import StepError
from components.progress import report
from feature_repo.atomic_files import atomic_directory, delete_leftovers, remove_directory
from feature_repo.contract import INTEREST_MODEL, MANIFEST, RANKING, fingerprint
from serving.errors import ReleaseError
from serving.experiments.experiment_file import ExperimentFile
from serving.release.ann_index import RECALL, TOP
from serving.release.checksums import checksums
from serving.release.published_versions import MARKERS
from serving.release.release_store import ReleaseStore

# Number of newest versions that stay published; the live one and the previous one always do.
KEEP = 3

KINDS = (RANKING, INTEREST_MODEL)


def verify(release: Path) -> None:
    """Check a release, the directories `ranking` and `interest`, against its manifest.

    Raises:
        StepError: a file is missing, added or changed, the contract is another one, or the recall of the
            approximate index is too low.
    """
    manifest = json.loads((release / RANKING / MANIFEST).read_text())
    if manifest["fingerprint"] != fingerprint():
        raise StepError(
            f"the release was built with contract {manifest['fingerprint']}, not {fingerprint()}: train again"
        )
    actual = checksums(release)
    actual.pop(f"{RANKING}/{MANIFEST}")
    if actual != manifest["files"]:
        differing = sorted(dict(actual.items() ^ manifest["files"].items()))
        raise StepError(
            f"the release differs from its manifest in {', '.join(differing[:5])}: register it again"
        )
    recall = manifest.get("nearest", {}).get(f"recall_at_{TOP}", 1.0)
    if recall < RECALL:
        raise StepError(
            f"the recall@{TOP} of the release's approximate index is {recall}, expected at least {RECALL}: "
            "register it again"
        )


def publish(release: Path, store: ReleaseStore, version: int) -> None:
    """Copy a release's two directories into the store; an existing version is replaced.

    A version is published when the second directory is in place: ReleaseStore.is_published.
    """
    for kind in KINDS:
        if isinstance(store.filesystem, LocalFileSystem):
            _publish_by_rename(release / kind, Path(store.path(kind, version)))
        else:
            with store.reached():
                _publish_marker_last(release / kind, store, store.path(kind, version))


def is_intact(store: ReleaseStore, version: int) -> bool:
    """Return whether a version is published with both directories, and can be opened."""
    if not store.is_published(version):
        return False
    try:
        store.open(version)
    except ReleaseError as error:
        report(f"version {version} is published again: {error}")
        return False
    return True


def unpublish(store: ReleaseStore, version: int) -> None:
    """Delete a version from the store, if it is there."""
    for kind in reversed(KINDS):
        path = store.path(kind, version)
        if isinstance(store.filesystem, LocalFileSystem):
            remove_directory(Path(path))
            continue
        with store.reached():
            if store.filesystem.exists(path):
                store.filesystem.rm(path, recursive=True)


def prune(store: ReleaseStore) -> list[int]:
    """Unpublish all but the newest KEEP versions, the live and the previous one; return their numbers.

    The releases of a running experiment stay, too. Also deletes what killed pushes left of older versions.
    """
    try:
        experiment = ExperimentFile(store).read()
    except ValueError as error:
        report(f"no old version is unpublished: {error}")
        return []
    compared = experiment.releases if experiment is not None and experiment.is_running else set()
    record = store.live_record()
    newest = store.versions()[-KEEP:]
    needed = {record.get("version"), record.get("previous"), *newest, *compared}
    unneeded = [
        version
        for version in store.directories()
        if version < min(newest, default=0) and version not in needed
    ]
    for version in unneeded:
        unpublish(store, version)
    if isinstance(store.filesystem, LocalFileSystem):
        for kind in KINDS:
            delete_leftovers(Path(store.root, kind))
    return unneeded


def _publish_by_rename(source: Path, target: Path) -> None:
    """Copy a directory; a server that polls the folder sees all files or none."""
    with atomic_directory(target) as staged:
        shutil.copytree(source, staged, dirs_exist_ok=True)


def _publish_marker_last(source: Path, store: ReleaseStore, target: str) -> None:
    """Upload a directory; without an atomic rename, the files that readers wait for come last."""
    if store.filesystem.exists(target):
        store.filesystem.rm(target, recursive=True)
    files = sorted(
        (path for path in source.rglob("*") if path.is_file()),
        key=lambda path: path.name in MARKERS.values(),
    )
    for path in files:
        store.filesystem.put(str(path), f"{target}/{path.relative_to(source)}")
