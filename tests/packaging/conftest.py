"""The project's wheel, and an empty environment for each size that is installed in tests."""

from pathlib import Path

import pytest

from tests.packaging.environments import SIZES, Environment, build_wheel, install


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def client(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return install(tmp_path_factory.mktemp("sizes") / "client", wheel, SIZES["client"][0])


@pytest.fixture(scope="session")
def serving(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return install(tmp_path_factory.mktemp("sizes") / "serving", wheel, SIZES["serving"][0])
