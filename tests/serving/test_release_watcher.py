"""Switching the live release under load, and releases that can't be used."""

import gc
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from serving import release_watcher
from serving.client import Recommender, ShownAnswer
from serving.release.ranking_data import Ranking
from tests.patience import HANG_S, wait_until
from tests.serving.planted import write_release
from tests.serving.service import RunningService, running


def recommend_until(address: str, stop: Event) -> list[ShownAnswer[str]]:
    answers = []
    with Recommender(address, timeout_s=HANG_S) as client:
        while not stop.is_set():
            answers.append(client.recommend("u", k=5, history=["comedy-1", "comedy-2"]))
    return answers


def versions_in(answer: ShownAnswer[str]) -> set[int]:
    """Return the releases that the titles and the answer itself belong to."""
    versions = {int(item.title.rsplit(" of ", 1)[1]) for item in answer.recommendations}
    return versions | {answer.release_version}


def test_switches_under_load_mix_no_versions_and_lose_no_answer(tmp_path: Path) -> None:
    with running(tmp_path, versions=(1, 2)) as service, ThreadPoolExecutor(8) as pool:
        stop = Event()
        clients = [pool.submit(recommend_until, service.address, stop) for _ in range(8)]
        try:
            for turn in range(10):
                version = 2 - turn % 2
                service.go_live(version)
                wait_until(lambda: service.client.recommend("u").release_version == version)  # noqa: B023
        finally:
            stop.set()
        answers = [answer for client in clients for answer in client.result()]
    assert {len(versions_in(answer)) for answer in answers} == {1}
    assert {answer.release_version for answer in answers} == {1, 2}
    assert [answer.degraded for answer in answers if answer.degraded] == []
    assert set(service.model.calls) == {1, 2}


def test_a_closed_watcher_leaves_no_object_frozen(tmp_path: Path) -> None:
    with running(tmp_path):
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0


def test_a_release_is_loaded_without_garbage_collection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states, load = [], Ranking.load

    def noted(directory: Path, version: int = 0) -> Ranking:
        states.append(gc.isenabled())
        if len(states) == 1:
            raise OSError("a file is missing")
        return load(directory, version)

    monkeypatch.setattr(release_watcher, "_RETRY_S", 0.0)
    monkeypatch.setattr(Ranking, "load", noted)
    with running(tmp_path):
        assert states == [False, False]
        assert gc.isenabled()


def test_a_release_waits_until_the_model_server_has_loaded_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path, versions=(1, 2)) as service:
        service.model.versions = [1]
        service.go_live(2)
        wait_until(lambda: "release 2 waits" in caplog.text)
        assert service.client.recommend("u", history=["comedy-1"]).release_version == 1
        service.model.versions = [1, 2]
        wait_until(lambda: service.client.recommend("u").release_version == 2)


def test_the_first_release_answers_degraded_after_the_startup_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.release_watcher._STARTUP_WAIT_S", 0.3)
    with running(tmp_path, live=None) as service:
        service.model.down = True
        service.go_live(1)
        wait_until(lambda: service.client.recommend("u", history=["comedy-1"]).release_version == 1)
        degraded = service.client.recommend("u", history=["comedy-1"]).degraded
        assert [degradation.stage for degradation in degraded] == ["interest"]


@pytest.mark.parametrize(
    "fault", ["missing", "wrong fingerprint", "empty file", "missing file", "flipped byte"]
)
def test_an_unusable_release_leaves_the_current_one_live(
    tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as service:
        publish_faulty(service, fault)
        service.go_live(2)
        wait_until(lambda: "the live release can't be used" in caplog.text)
        assert service.client.recommend("u").release_version == 1
        service.model.versions = [1, 3]
        write_release(tmp_path / "releases", 3, " of 3")
        service.go_live(3)
        wait_until(lambda: service.client.recommend("u").release_version == 3)


def publish_faulty(service: RunningService, fault: str) -> None:
    """Publish a version 2 with a fault."""
    service.model.versions = [1, 2]
    if fault == "missing":
        return
    write_release(service.root / "releases", 2, " of 2")
    directory = service.root / "releases" / "ranking" / "2"
    if fault == "wrong fingerprint":
        manifest = json.loads((directory / "manifest.json").read_text())
        (directory / "manifest.json").write_text(json.dumps({**manifest, "fingerprint": "another"}))
    if fault == "empty file":
        (directory / "item_embeddings.npy").write_bytes(b"")
    if fault == "flipped byte":
        content = (directory / "trend.npy").read_bytes()
        (directory / "trend.npy").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    if fault == "missing file":
        (directory / "catalog.parquet").unlink()


def test_an_incomplete_live_json_leaves_the_current_release_live(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as service:
        (tmp_path / "releases" / "live.json").write_text("{")
        wait_until(lambda: "the live release can't be used" in caplog.text)
        assert service.client.recommend("u").release_version == 1
