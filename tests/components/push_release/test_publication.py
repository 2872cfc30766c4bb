"""Publishing is atomic, and live.json stores the live version."""

import json
from pathlib import Path

import pytest

from components.errors import StepError
from components.push_release.live_switch import switch
from components.push_release.publication import KEEP, prune, publish, unpublish, verify
from feature_repo.contract import fingerprint
from serving.experiments.experiment import Act
from serving.experiments.experiment_file import ExperimentFile
from serving.release.checksums import checksums
from serving.release.release_store import ReleaseStore
from tests.serving.experiments.experiments import AT, experiment


def make_release(directory: Path, text: str = "graph") -> Path:
    (directory / "interest" / "variables").mkdir(parents=True)
    (directory / "interest" / "saved_model.pb").write_text(text)
    (directory / "interest" / "variables" / "variables.index").write_text("index")
    (directory / "ranking").mkdir()
    (directory / "ranking" / "blend.json").write_text("{}")
    manifest = {"fingerprint": fingerprint(), "files": checksums(directory)}
    (directory / "ranking" / "manifest.json").write_text(json.dumps(manifest))
    return directory


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return make_release(tmp_path / "release")


@pytest.fixture(params=["local", "object store"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ReleaseStore:
    if request.param == "local":
        return ReleaseStore(str(tmp_path / "store"))
    return ReleaseStore(f"memory://{tmp_path.name}/store", cache=tmp_path / "cache")


def test_a_copied_release_replaces_one_whose_copy_was_interrupted(tmp_path: Path) -> None:
    store = ReleaseStore(f"memory://{tmp_path.name}/store", cache=tmp_path / "cache")
    publish(make_release(tmp_path / "release"), store, version=1)
    interrupted = tmp_path / "cache" / "ranking" / "1"
    interrupted.mkdir(parents=True)
    (interrupted / "leftover.npy").write_text("half")
    assert store.local("ranking", 1) == interrupted
    assert not (interrupted / "leftover.npy").exists()
    assert (interrupted / "manifest.json").exists()


def test_a_valid_release_passes_verification(release: Path) -> None:
    verify(release)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("interest/saved_model.pb", lambda file: file.write_text("grap")),
        ("ranking/blend.json", lambda file: file.unlink()),
        ("ranking/more.npy", lambda file: file.write_text("new")),
    ],
)
def test_verify_raises_for_a_changed_missing_or_added_file(release: Path, file: str, change: object) -> None:
    change(release / file)  # type: ignore[operator]

    with pytest.raises(StepError, match=file):
        verify(release)


def test_verify_raises_for_another_contract(release: Path) -> None:
    manifest = release / "ranking" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(fingerprint(), "0123456789abcdef"))

    with pytest.raises(StepError, match="0123456789abcdef"):
        verify(release)


def test_verify_raises_for_a_low_recall_of_the_index(release: Path) -> None:
    manifest = release / "ranking" / "manifest.json"
    about = json.loads(manifest.read_text()) | {"nearest": {"recall_at_100": 0.93}}
    manifest.write_text(json.dumps(about))

    with pytest.raises(
        StepError, match=r"recall@100 of the release's approximate index is 0\.93, expected at least 0\.97"
    ):
        verify(release)


def test_publishing_twice_leaves_one_version_and_no_temporary_files(
    release: Path, store: ReleaseStore
) -> None:
    publish(release, store, 3)
    publish(release, store, 3)

    assert store.versions() == [3]
    assert checksums(store.local("interest", 3)).keys() >= {"saved_model.pb", "variables/variables.index"}
    names = [
        entry.rsplit("/", 1)[-1] for entry in store.filesystem.ls(f"{store.root}/interest", detail=False)
    ]
    assert names == ["3"]


def test_failed_publishing_keeps_the_published_version(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ReleaseStore(str(tmp_path / "store"))
    publish(release, store, 3)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("components.push_release.publication.shutil.copytree", full)
    with pytest.raises(OSError, match="No space left"):
        publish(make_release(tmp_path / "other", "other graph"), store, 3)

    assert (Path(store.path("interest", 3)) / "saved_model.pb").read_text() == "graph"
    assert sorted(path.name for path in Path(store.root, "ranking").iterdir()) == ["3"]


def test_prune_keeps_the_newest_the_live_and_the_previous_version(release: Path, store: ReleaseStore) -> None:
    for version in range(1, KEEP + 4):
        publish(release, store, version)
    switch(store, 1, "pushed", "ada")
    switch(store, 2, "pushed", "ada")

    assert prune(store) == [3]
    assert store.versions() == [1, 2, *range(4, KEEP + 4)]


def test_prune_keeps_the_releases_of_a_running_experiment(
    release: Path, store: ReleaseStore, capsys: pytest.CaptureFixture[str]
) -> None:
    for version in range(1, KEEP + 4):
        publish(release, store, version)
    switch(store, KEEP + 3, "pushed", "ada")
    started, file = experiment("canary"), ExperimentFile(store)
    file.start(started)
    assert prune(store) == [1, 3]
    store.filesystem.pipe_file(file.path, b"{")
    assert prune(store) == []
    assert "no old version is unpublished: experiment file" in capsys.readouterr().out
    store.filesystem.pipe_file(file.path, started.model_dump_json().encode())
    file.stop(started.name, Act(what="stopped", by="ada", at=AT))
    assert prune(store) == [2]


def test_unpublish_deletes_a_version_and_can_be_repeated(release: Path, store: ReleaseStore) -> None:
    publish(release, store, 3)
    unpublish(store, 3)
    unpublish(store, 3)

    assert store.versions() == []
