"""The home that the tutorial leaves, and a recommender that serves from it, for all end-to-end tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.local_servers import serve_live_release
from pipelines.settings import Settings, load_settings
from serving.client import Recommender
from serving.release.release_store import ReleaseStore
from tests.end_to_end.commands import run_tutorial
from tests.patience import HANG_S


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="session")
def tutorial(folder: Path) -> str:
    """What the tutorial prints."""
    return run_tutorial(folder)


@pytest.fixture(scope="session")
def home(folder: Path, tutorial: str) -> Path:
    """The tutorial's home, after its run."""
    return folder / "home"


@pytest.fixture(scope="session")
def settings(home: Path) -> Settings:
    return load_settings(home=home)


@pytest.fixture(scope="session")
def store(settings: Settings) -> ReleaseStore:
    return ReleaseStore(settings.releases)


@pytest.fixture(scope="session")
def recommender(settings: Settings) -> Iterator[Recommender]:
    """A client of a recommender with unlimited budgets: on a busy machine any other may run out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.local_servers.START_TIMEOUT_S", HANG_S)
        for name in ("DEADLINE_MS", "HISTORY_BUDGET_MS", "INTEREST_BUDGET_MS"):
            patch.setenv(f"PENCHANT_{name}", str(1000 * HANG_S))
        with (
            serve_live_release(settings, 0, 0) as processes,
            Recommender(processes.recommender, HANG_S) as client,
        ):
            yield client
