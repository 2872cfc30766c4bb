"""Opening a release holds up no other one, and leaves no garbage after a failure."""

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from serving.errors import ReleaseNotFound
from serving.ranking.open_releases import OpenReleases
from serving.release.ranking_data import Ranking
from serving.release.release_store import ReleaseStore
from tests.patience import HANG_S
from tests.serving.planted import write_release


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[OpenReleases]:
    for version in (1, 2):
        write_release(tmp_path, version)
    gc.unfreeze()
    yield OpenReleases(ReleaseStore(str(tmp_path)))
    gc.unfreeze()


def test_a_release_that_takes_long_to_open_holds_up_no_other_one(
    releases: OpenReleases, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, is_opening, may_go_on = Ranking.load, Event(), Event()

    def slow(directory: Path, version: int = 0) -> Ranking:
        if version == 2:
            is_opening.set()
            assert may_go_on.wait(HANG_S)
        return load(directory, version)

    monkeypatch.setattr(Ranking, "load", slow)
    with ThreadPoolExecutor() as pool:
        candidate = pool.submit(releases.open, 2)
        try:
            assert is_opening.wait(HANG_S)
            assert pool.submit(releases.open, 1).result(HANG_S).version == 1
            assert not gc.isenabled()
        finally:
            may_go_on.set()
        assert releases.open(2) is candidate.result()
    assert gc.isenabled()


def test_what_a_failed_attempt_left_is_not_kept(releases: OpenReleases) -> None:
    with pytest.raises(ReleaseNotFound, match="3"):
        releases.open(3)
    assert gc.get_freeze_count() == 0
    assert gc.isenabled()
