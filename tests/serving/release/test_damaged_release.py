"""A damaged release is refused with the name of the file, and the release before it stays live."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.push_release.publication import publish
from feature_repo.atomic_files import atomic_file
from feature_repo.contract import MANIFEST
from serving.errors import DamagedRelease
from serving.release.checksums import checksums
from serving.release.ranking_data import Ranking
from serving.release.release_store import ReleaseStore
from tests.serving.planted import COUNT, write_release


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    write_release(tmp_path, 1)
    return ReleaseStore(str(tmp_path))


def ranking(store: ReleaseStore) -> Path:
    return Path(store.path("ranking", 1))


def flip_last_byte(file: Path) -> None:
    content = file.read_bytes()
    with atomic_file(file) as staged:
        staged.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_a_flipped_byte_of_any_file_is_refused_by_its_name(store: ReleaseStore) -> None:
    store.open(1)
    names = json.loads((ranking(store) / MANIFEST).read_text())["files"]
    assert {
        "ranking/item_embeddings.npy",
        "ranking/transitions/indices.npy",
        "interest/saved_model.pb",
    } < set(names)
    for name in names:
        kind, _, file = name.partition("/")
        path = Path(store.path(kind, 1), file)
        flip_last_byte(path)
        with pytest.raises(DamagedRelease, match=rf"{path} differs .* `penchant review approve VERSION`"):
            store.open(1)
        flip_last_byte(path)
    assert store.open(1).version == 1


def test_a_missing_file_is_refused_by_its_name(store: ReleaseStore) -> None:
    (ranking(store) / "blend.json").unlink()
    with pytest.raises(DamagedRelease, match=r"blend\.json is missing"):
        store.open(1)


def test_a_manifest_that_is_no_json_is_refused(store: ReleaseStore) -> None:
    (ranking(store) / MANIFEST).write_text('{"fingerprint": ')
    with pytest.raises(DamagedRelease, match=r"manifest\.json is no JSON"):
        store.open(1)


def replace_array(directory: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Write a changed array, and its checksum to the manifest: the fault of a writer."""
    file = directory / name
    changed = change(np.load(file))
    with atomic_file(file) as staged:
        np.save(staged, changed)
    manifest = json.loads((directory / MANIFEST).read_text())
    manifest["files"] |= {f"ranking/{name}": checksums(directory)[name]}
    (directory / MANIFEST).write_text(json.dumps(manifest))


def with_entry(index: int, value: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[index] = value
        return array

    return change


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("transitions/indices.npy", with_entry(3, COUNT)),
        ("transitions/indices.npy", with_entry(3, -1)),
        ("item_cosine/indptr.npy", with_entry(2, 10**6)),
        ("item_cosine/indptr.npy", with_entry(2, 0)),
        ("user_items/indptr.npy", with_entry(-1, 10**6)),
        ("user_items/data.npy", lambda array: array[1:]),
        ("segments/indices.npy", with_entry(0, COUNT)),
    ],
)
def test_an_index_outside_its_matrix_is_refused(
    store: ReleaseStore, name: str, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    replace_array(ranking(store), name, change)
    with pytest.raises(DamagedRelease, match=rf"arrays of .*/{name.partition('/')[0]} are no matrix"):
        store.open(1)


@pytest.mark.parametrize("name", ["popularity.npy", "trend.npy", "item_embeddings.npy"])
def test_parts_of_different_lengths_are_refused(store: ReleaseStore, name: str) -> None:
    replace_array(ranking(store), name, lambda array: array[1:])
    with pytest.raises(DamagedRelease, match=rf"one row per item, got .*'{name[:-4]}': {COUNT - 1}"):
        store.open(1)


def test_a_damaged_copy_of_a_remote_release_is_copied_again(tmp_path: Path, store: ReleaseStore) -> None:
    source = tmp_path / "source"
    for kind in ("ranking", "interest"):
        (source / kind).parent.mkdir(exist_ok=True)
        Path(store.path(kind, 1)).rename(source / kind)
    remote = ReleaseStore(f"memory://{tmp_path.name}/damaged", tmp_path / "cache")
    publish(source, remote, 1)
    flip_last_byte(remote.local("ranking", 1) / "trend.npy")
    with pytest.raises(DamagedRelease, match=r"trend\.npy differs"):
        remote.open(1)
    assert remote.open(1).version == 1


def test_a_file_is_read_once_as_long_as_its_size_and_time_stay(
    store: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    digest = hashlib.file_digest

    def count(file: Any, algorithm: str) -> Any:
        read.append(Path(file.name).name)
        return digest(file, algorithm)

    store.open(1)
    monkeypatch.setattr(hashlib, "file_digest", count)
    store.open(1)
    assert read == []
    flip_last_byte(ranking(store) / "trend.npy")
    with pytest.raises(DamagedRelease):
        Ranking.load(ranking(store), 1)
    assert read == ["trend.npy"]
