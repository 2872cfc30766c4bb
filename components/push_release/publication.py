"""Puts a release into the release store and makes it live: each step whole or not at all."""

import json
import shutil
import time
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from components.errors import StepError
from feature_repo.atomic_files import atomic_directory, atomic_upload, remove_directory
from feature_repo.contract import INTEREST_MODEL, LIVE, MANIFEST, RANKING, fingerprint
from serving.release.ann_index import RECALL, TOP
from serving.release.ranking_data import checksums
from serving.release.release_store import ReleaseStore

# How many releases stay published: the live one, the one before (a rollback away), and one more.
KEEP = 3

KINDS = (RANKING, INTEREST_MODEL)


def verify(release: Path) -> None:
    """Check a release against its manifest.

    Raises:
        StepError: a file is missing, added or changed, another contract built it, or the index of its large
            catalog misses too much.
    """
    manifest = json.loads((release / RANKING / MANIFEST).read_text())
    if manifest["fingerprint"] != fingerprint():
        raise StepError(
            f"the release was built by contract {manifest['fingerprint']}, not {fingerprint()}: train again"
        )
    found = checksums(release)
    found.pop(f"{RANKING}/{MANIFEST}")
    if found != manifest["files"]:
        differing = sorted(dict(found.items() ^ manifest["files"].items()))
        raise StepError(
            f"the release differs from its manifest in {', '.join(differing[:5])}: register it again"
        )
    recall = manifest.get("nearest", {}).get(f"recall_at_{TOP}", 1.0)
    if recall < RECALL:
        raise StepError(
            f"the release's index finds {recall} of the {TOP} nearest items, expected at least {RECALL}: "
            "register it again"
        )


def publish(release: Path, store: ReleaseStore, version: int) -> None:
    """Copy a release's two directories into the store; a version that stands there already is replaced."""
    for kind in KINDS:
        if isinstance(store.filesystem, LocalFileSystem):
            _publish_by_rename(release / kind, Path(store.path(kind, version)))
        else:
            _publish_marker_last(release / kind, store, store.path(kind, version))


def unpublish(store: ReleaseStore, version: int) -> None:
    for kind in reversed(KINDS):
        path = store.path(kind, version)
        if isinstance(store.filesystem, LocalFileSystem):
            remove_directory(Path(path))
        elif store.filesystem.exists(path):
            store.filesystem.rm(path, recursive=True)


def switch(store: ReleaseStore, version: int) -> int | None:
    """Make `version` live, atomically; returns the version that was."""
    before = store.live()
    record = {
        "version": version,
        "previous": before if before != version else store.live_record().get("previous"),
    }
    text = json.dumps({**record, "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
    with atomic_upload(store.filesystem, f"{store.root}/{LIVE}") as file:
        file.write(text.encode())
    return before


def prune(store: ReleaseStore) -> list[int]:
    """Unpublish what is older than the last KEEP versions; the live one and the one before always stay."""
    record = store.live_record()
    needed = {record.get("version"), record.get("previous")}
    spare = [version for version in store.versions()[:-KEEP] if version not in needed]
    for version in spare:
        unpublish(store, version)
    return spare


def _publish_by_rename(source: Path, target: Path) -> None:
    """A server that polls the folder never sees half a version."""
    with atomic_directory(target) as staged:
        shutil.copytree(source, staged, dirs_exist_ok=True)


def _publish_marker_last(source: Path, store: ReleaseStore, target: str) -> None:
    """Object stores can't rename a folder: what a reader looks for (manifest, graph) is written last."""
    markers = {MANIFEST, "saved_model.pb"}
    files = sorted(
        (path for path in source.rglob("*") if path.is_file()), key=lambda path: path.name in markers
    )
    for path in files:
        store.filesystem.put(str(path), f"{target}/{path.relative_to(source)}")
