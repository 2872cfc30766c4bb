"""The home that the tutorial leaves, and a recommender that serves from it, for the end-to-end tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.settings import load_settings
from serving.client import Recommender
from serving.release.release_store import ReleaseStore
from tests.end_to_end.commands import Served, run_tutorial, serve
from tests.end_to_end.shop import write_shop
from tests.patience import HANG_S


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="module")
def tutorial(folder: Path) -> str:
    """What the tutorial prints."""
    return run_tutorial(folder)


@pytest.fixture(scope="module")
def home(folder: Path, tutorial: str) -> Path:
    """The tutorial's home, after its run."""
    return folder / "home"


@pytest.fixture(scope="module")
def branch(folder: Path) -> list[str]:
    """The options of a training that adds the shop's files as a second source, and starts warm."""
    files = write_shop(folder / "branch")
    sources = [option for name, file in files.items() for option in (f"--{name}", str(file))]
    return [*sources, "--source", "branch", "--set", "warm_start=true"]


@pytest.fixture(scope="module")
def store(home: Path) -> ReleaseStore:
    return ReleaseStore(load_settings(home=home).releases)


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[Served]:
    with serve(home) as served:
        yield served


@pytest.fixture(scope="module")
def recommender(served: Served) -> Iterator[Recommender]:
    with Recommender(served.recommender, HANG_S) as client:
        yield client
