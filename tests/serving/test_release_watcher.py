"""Going from one release to another while clients ask."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from serving.answers import Answer
from serving.client import Recommender
from tests.patience import HANG_S, wait_until
from tests.serving.planted import write_release
from tests.serving.service import Running, running


def ask_until(address: str, stop: Event) -> list[Answer]:
    answers = []
    with Recommender(address, timeout_s=HANG_S) as client:
        while not stop.is_set():
            answers.append(client.recommend("u", k=5, history=["comedy-1", "comedy-2"]))
    return answers


def versions_in(answer: Answer) -> set[int]:
    """Which releases the titles come from, and the one that the answer names."""
    titled = {int(item.title.rsplit(" of ", 1)[1]) for item in answer.recommendations}
    return titled | {answer.release_version}


def test_ten_swaps_under_load_mix_no_versions_and_lose_no_answer(tmp_path: Path) -> None:
    with running(tmp_path, versions=(1, 2)) as service, ThreadPoolExecutor(8) as pool:
        stop = Event()
        clients = [pool.submit(ask_until, service.address, stop) for _ in range(8)]
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
    assert set(service.model.asked) == {1, 2}


def test_a_release_waits_until_the_model_server_holds_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path, versions=(1, 2)) as service:
        service.model.versions = [1]
        service.go_live(2)
        wait_until(lambda: "release 2 waits" in caplog.text)
        assert service.client.recommend("u", history=["comedy-1"]).release_version == 1
        service.model.versions = [1, 2]
        wait_until(lambda: service.client.recommend("u").release_version == 2)


def test_a_first_release_answers_degraded_rather_than_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.release_watcher._PATIENCE_S", 0.3)
    with running(tmp_path, live=None) as service:
        service.model.down = True
        service.go_live(1)
        wait_until(lambda: service.client.recommend("u", history=["comedy-1"]).release_version == 1)
        cut = service.client.recommend("u", history=["comedy-1"]).degraded
        assert [one.stage for one in cut] == ["interest"]


@pytest.mark.parametrize("fault", ["missing", "foreign", "torn", "half"])
def test_a_release_that_can_not_be_used_leaves_the_one_in_use(
    tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as service:
        spoil(service, fault)
        service.go_live(2)
        wait_until(lambda: "the live release can't be used" in caplog.text)
        assert service.client.recommend("u").release_version == 1
        service.model.versions = [1, 3]
        write_release(tmp_path / "releases", 3, " of 3")
        service.go_live(3)
        wait_until(lambda: service.client.recommend("u").release_version == 3)


def spoil(service: Running, fault: str) -> None:
    """Publish a version 2 with a fault."""
    service.model.versions = [1, 2]
    if fault == "missing":
        return
    write_release(service.root / "releases", 2, " of 2")
    directory = service.root / "releases" / "ranking" / "2"
    if fault == "foreign":
        manifest = json.loads((directory / "manifest.json").read_text())
        (directory / "manifest.json").write_text(json.dumps({**manifest, "fingerprint": "another"}))
    if fault == "torn":
        (directory / "item_embeddings.npy").write_bytes(b"")
    if fault == "half":
        (directory / "catalog.parquet").unlink()


def test_a_live_record_that_is_torn_leaves_the_release_in_use(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as service:
        (tmp_path / "releases" / "live.json").write_text("{")
        wait_until(lambda: "the live release can't be used" in caplog.text)
        assert service.client.recommend("u").release_version == 1
